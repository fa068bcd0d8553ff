/**
 * Copies of a database elsewhere: periodic backups, exports, imports. Whoever turns backups on relies on them, so that
 * the switch is refused until they are made. Outcomes are absent until something has happened, because their
 * enumerations have no value for that.
 */
import Type from 'typebox'
import { kept, refused, reported } from '../field.ts'
import { choice, flag, list, maybeOneOf, maybeText, oneOf, PEM_MAX, percent, record, text, whole } from '../shapes.ts'

const why = 'Backups are not available yet.'
const NO_BACKUP = 'It says nothing while backups are not available.'
const WHEN_SET = { 'x-shown': 'when-set' } as const

const LOCATION_TYPES = ['url', 'sftp', 's3', 'gs', 'abs', 'mount_point'] as const

/** All members of all kinds of places; `type` says which of them count. */
const locationMembers = () => ({
  type: oneOf([...LOCATION_TYPES], 'mount_point', 'What kind of place it is.'),
  url: text('', 'FTP: where.'),
  sftp_url: text('', 'SFTP: where.'),
  key: text('', 'SFTP: private key.', { maxLength: PEM_MAX }),
  bucket_name: text('', 'S3 and Google: bucket.'),
  access_key_id: text('', 'S3: key id.'),
  secret_access_key: text('', 'S3: secret key.'),
  region_name: text('', 'S3: region.'),
  client_email: text('', 'Google: account.'),
  client_id: text('', 'Google: client id.'),
  private_key: text('', 'Google: private key.', { maxLength: PEM_MAX }),
  private_key_id: text('', 'Google: id of that key.'),
  container: text('', 'Azure: container.'),
  account_name: text('', 'Azure: account.'),
  account_key: text('', 'Azure: key of the account.'),
  sas_token: text('', 'Azure: token instead of the key.'),
  subdir: text('', 'S3, Google and Azure: folder in it.'),
  path: text('', 'Mounted folder: its path.'),
})

const importSource = () => {
  const members = { ...locationMembers(), filename: text('', 'Which file of it.') }
  return record(Object.fromEntries(Object.entries(members).map(([name, field]) => [name, Type.Optional(field)])))
}

const FAILURES = ['no-permission', 'wrong-file-path', 'general-error'] as const
const PROGRESS = ['exporting', 'succeeded', 'failed'] as const

export const IMPORT_FAILURE_PATTERN =
  '^(download-error|file-corrupted|general-error|file-larger-than-mem-limit:[0-9]+:[0-9]+|key-too-long|' +
  'invalid-bulk-length|out-of-memory)$'

export const backupFields = {
  backup: refused(flag(false, 'Make backups periodically.'), { accepts: [false], why }),
  backup_location: refused(
    choice(locationMembers(), 'Where backups go.'),
    { accepts: [{}], why },
    { 'x-secret': true },
  ),
  backup_history: kept(whole(0, 'For how many days backups stay; 0: for ever.'), NO_BACKUP),
  backup_interval: kept(whole(0, 'Seconds between backups.'), NO_BACKUP),
  backup_interval_offset: kept(whole(0, 'Seconds after the round time at which they start.'), NO_BACKUP),
  backup_progress: reported(percent('How much of the backup is done, in percent.')),
  backup_status: reported(maybeOneOf([...PROGRESS], 'How the last backup went.'), WHEN_SET),
  backup_failure_reason: reported(maybeOneOf([...FAILURES], 'Why it failed.'), WHEN_SET),
  last_backup_time: reported(maybeText('When the last backup was made, UTC.'), WHEN_SET),
  export_progress: reported(percent('How much of the export is done, in percent.')),
  export_status: reported(maybeOneOf([...PROGRESS], 'How the last export went.'), WHEN_SET),
  export_failure_reason: reported(maybeOneOf([...FAILURES], 'Why it failed.'), WHEN_SET),
  last_export_time: reported(maybeText('When the last export was made, UTC.'), WHEN_SET),
  import_progress: reported(percent('How much of the import is done, in percent.')),
  import_status: reported(
    oneOf(['idle', 'initializing', 'importing', 'succeeded', 'failed'], 'idle', 'How the last import went.'),
  ),
  import_failure_reason: reported(maybeText('Why it failed.', { pattern: IMPORT_FAILURE_PATTERN }), WHEN_SET),
  dataset_import_sources: refused(
    list(importSource(), 'The files to import.', 1_000),
    { accepts: [[]], why: 'Imports are not available yet.' },
    { 'x-secret': true, 'x-shown': 'never', writeOnly: true },
  ),
  skip_import_analyze: kept(
    oneOf(['enabled', 'disabled'], 'disabled', 'Import without looking through the files first.'),
    'Imports are not available yet.',
  ),
}
