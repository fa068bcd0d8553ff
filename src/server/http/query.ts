/**
 * Query parameters that several routes share, as the OpenAPI document shows them.
 */
import Type from 'typebox'
import type { QueryParameter } from './route.ts'

export const FIELDS: QueryParameter = {
  name: 'fields',
  description: 'Comma-separated names: answer with these fields only',
  schema: Type.String(),
}

export const EXTENDED: QueryParameter = {
  name: 'extended',
  description: 'Also show the configuration of modules',
  schema: Type.Boolean(),
}

export const DRY_RUN: QueryParameter = {
  name: 'dry_run',
  description: 'Check everything, change nothing, and answer with what would happen',
  schema: Type.Boolean(),
}
