/**
 * Active-Active databases as the API shows them, and the tasks that change them. There is none; these say what a list of
 * them would hold.
 */
import { reported } from './field.ts'
import { anything, flag, list, objectOf, oneOf, record, text, whole } from './shapes.ts'

export const CrdbObject = objectOf('crdb', {
  guid: reported(text('', 'What it is called in all clusters.')),
  name: reported(text('', 'What people call it.')),
  causal_consistency: reported(flag(false, 'Whether the order of causes and effects is kept.')),
  default_db_config: reported(anything('What its instances have in common.')),
  encryption: reported(flag(false, 'Whether clusters talk about it over TLS.')),
  featureset_version: reported(whole(0, 'What all instances can do.')),
  instances: reported(list(anything('An instance: its cluster, and how it is reached.'), 'Where it is.')),
  local_databases: reported(
    list(
      record({ bdb_uid: text('', 'The database.'), id: whole(0, 'The instance.') }),
      'Its databases in this cluster.',
    ),
  ),
  managed_by: reported(text('', 'Who looks after it.')),
  modules: reported(
    list(
      record({ module_name: text('', 'The module.'), featureset_version: whole(0, 'What it can do.') }),
      'The modules of all instances.',
    ),
  ),
  protocol_version: reported(whole(0, 'How instances talk.')),
  volatile_config_fields: reported(list(text('', 'A field.'), 'Fields that may differ between instances.')),
})

export const CrdbTaskObject = objectOf('crdb_task', {
  id: reported(text('', 'The task.')),
  crdb_guid: reported(text('', 'Which database it changes.')),
  operation: reported(text('', 'What it does.')),
  status: reported(oneOf(['queued', 'started', 'finished', 'failed'], 'queued', 'How far it is.')),
  progress: reported(anything('The same for each cluster.')),
  started: reported(text('', 'When it began, UTC.')),
  ended: reported(text('', 'When it was over, UTC.')),
  errors: reported(
    list(
      record({
        cluster_name: text('', 'Where.'),
        error_code: text('', 'What, as a code.'),
        description: text('', 'The same in words.'),
      }),
      'What went wrong.',
    ),
  ),
  worker_name: reported(text('', 'Who sees to it.')),
})

export const CrdbHealthReport = objectOf('crdb health report', {
  name: reported(text('', 'The database.')),
  cluster_name: reported(text('', 'Of which cluster.')),
  active_config_version: reported(whole(0, 'Which configuration counts there.')),
  configurations: reported(list(anything('A configuration and how far it is.'), 'Those that it knows.')),
  connection_error: reported(text('', 'Why it cannot be reached.')),
  connections: reported(list(anything('A peer and how it is reached.'), 'Its peers.')),
})
