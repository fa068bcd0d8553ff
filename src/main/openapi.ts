/**
 * Prints the OpenAPI document; starts nothing.
 */
import { openApiDocument } from '#server/openapi.ts'
import { ROUTES } from '#server/routes.ts'
import { HOLDFAST_VERSION } from './version.ts'

process.stdout.write(`${JSON.stringify(openApiDocument(ROUTES, HOLDFAST_VERSION), null, 2)}\n`)
