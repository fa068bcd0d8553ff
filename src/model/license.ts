/**
 * The licence, for tools that look at it. There is none: nothing expires and nothing is limited.
 */
import { refused, reported } from './field.ts'
import { compileObject } from './parse.ts'
import { flag, list, objectOf, PEM_MAX, text, whole } from './shapes.ts'

/** Tools compare numbers: this one is above any number of shards there can be. */
export const NO_SHARD_LIMIT = 2_147_483_647

const count = (description: string) => reported(whole(0, description))

export const LicenseObject = objectOf('license', {
  license: reported(text('', 'Text of the licence: none.')),
  key: reported(text('', 'The same under its older name.')),
  expired: reported(flag(false, 'Whether it has expired: it cannot.')),
  activation_date: reported(text('', 'Since when the cluster may be used, UTC.')),
  expiration_date: reported(text('', 'Until when, UTC.')),
  cluster_name: reported(text('', 'For which cluster.')),
  owner: reported(text('', 'Whose it is.')),
  features: reported(list(text('', 'A feature.'), 'What it allows beyond the usual.')),
  shards_limit: count('Most shards that there may be.'),
  ram_shards_limit: count('Most of them in memory.'),
  ram_shards_in_use: count('How many there are.'),
  flash_shards_limit: count('Most of them on flash.'),
  flash_shards_in_use: count('How many there are.'),
})

export const LicenseRequest = objectOf('new license', {
  license: refused(text('', 'Text of a licence.', { maxLength: PEM_MAX }), {
    accepts: [''],
    why: 'There is nothing to license, and nothing that a licence would allow.',
    code: 'invalid_license',
  }),
})

export const licenseParser = compileObject<{ readonly license?: string }>(LicenseRequest)
