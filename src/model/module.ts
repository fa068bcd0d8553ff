/**
 * Modules as the API shows them, and what is sent to set one up in a database or to bring another one in.
 */
import Type from 'typebox'
import { applied, reported } from './field.ts'
import { compileObject } from './parse.ts'
import { anything, flag, list, maybeText, objectOf, record, text, whole } from './shapes.ts'

export const ModuleObject = objectOf('module', {
  uid: reported(text('', 'Its number, as text.')),
  module_name: reported(text('', 'What it is called.')),
  display_name: reported(text('', 'The same for people.')),
  description: reported(text('', 'What it is for.')),
  semantic_version: reported(text('', 'Its version.')),
  version: reported(whole(0, 'The same as one number.')),
  author: reported(text('', 'Who made it.')),
  email: reported(text('', 'Where they are reached.')),
  homepage: reported(text('', 'Where it is told of.')),
  license: reported(text('', 'Under which terms it may be used.')),
  capabilities: reported(list(text('', 'A capability.'), 'What it can do.')),
  capability_name: reported(text('', 'Under which name it can do that.')),
  command_line_args: reported(text('', 'What it is started with.')),
  config_command: reported(text('', 'The command that changes its settings.')),
  min_redis_version: reported(text('', 'The oldest engine that it runs in.')),
  compatible_redis_version: reported(text('', 'The engine that it is made for.')),
  is_bundled: reported(flag(false, 'Whether it came with the engine.')),
  module_file: reported(text('', 'The file that it is in.')),
  dependencies: reported(anything('What it needs beside it.')),
  crdb: reported(anything('What of Active-Active databases it can do.')),
  bigstore_version_2_support: reported(flag(false, 'Whether it can work with data on flash.')),
  sha256: reported(text('', 'Digest of its file.'), { deprecated: true }),
})

export const ModuleCapabilities = record({
  all_capabilities: list(
    record({ name: text('', 'The capability.'), desc: text('', 'The same in words.') }),
    'What modules can do.',
  ),
})

export const ModuleArtifact = record({
  module_name: text('', 'The module.'),
  version: whole(0, 'Its version.'),
  dependencies: list(text('', 'A file.'), 'What it needs beside it.'),
})

const LIMITS = { maxLength: 1_024 } as const
const ENTRIES_MAX = 100

export type ModuleSetup = {
  readonly modules?: readonly { readonly module_name: string; readonly module_args: string }[]
}

export const ModuleSetupRequest = objectOf('settings of modules', {
  modules: applied(
    list(
      record({
        module_name: text('', 'Which module.', LIMITS),
        module_args: text('', 'What it is started with.', { ...LIMITS, pattern: '^[^&<>"]*$' }),
      }),
      'The modules to set up.',
      ENTRIES_MAX,
    ),
  ),
})

export const moduleSetupParser = compileObject<ModuleSetup>(ModuleSetupRequest)

export type ModuleUpgrade = { readonly modules?: readonly { readonly new_module: string }[] }

export const ModuleUpgradeRequest = objectOf('upgrade of modules', {
  modules: applied(
    list(
      record({
        new_module: text('', 'The uid of the module to change to.', LIMITS),
        current_module: Type.Optional(maybeText('The uid of the one that is there.', LIMITS)),
        module_name: Type.Optional(maybeText('Its name.', LIMITS)),
        current_semantic_version: Type.Optional(maybeText('Its version.', LIMITS)),
        new_module_args: Type.Optional(maybeText('What the new one is started with.', LIMITS)),
      }),
      'The modules to change.',
      ENTRIES_MAX,
    ),
  ),
  preserve_roles: applied(flag(false, 'Primaries are primaries afterwards.')),
  may_discard_data: applied(flag(false, 'Data that is in memory alone may be lost.')),
})

export const moduleUpgradeParser = compileObject<ModuleUpgrade>(ModuleUpgradeRequest)
