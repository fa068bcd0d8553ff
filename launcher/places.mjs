// Where things are: the project's own folder, and the folder for what the launcher brings along, which git ignores and
// which can be deleted at any time.

import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const projectRoot = dirname(dirname(fileURLToPath(import.meta.url)))
export const runtimeFolder = join(projectRoot, '.runtime')
