/**
 * Data on flash beside memory. No open engine has it, so that the switches are refused: a database that was sized for
 * flash would run out of memory instead.
 */
import { kept, refused } from '../field.ts'
import { amount, BYTES_MAX, flag, list, oneOfNumbers, record, uidOf, whole } from '../shapes.ts'

const why = 'Data on flash is not available; give the database enough memory_size instead.'

const weight = record({
  shard_uid: uidOf('The shard.'),
  weight: amount(1, 'Its share of the memory, relative to the others.'),
})

export const flashFields = {
  bigstore: refused(flag(false, 'Keep rarely used values on flash.'), { accepts: [false], why }),
  bigstore_ram_size: refused(whole(0, 'Memory beside the flash, in bytes.', { maximum: BYTES_MAX }), {
    accepts: [0],
    why,
  }),
  bigstore_ram_weights: refused(list(weight, 'How memory is shared between shards on flash.'), { accepts: [[]], why }),
  bigstore_version: kept(
    oneOfNumbers([1, 2], 1, 'Generation of the flash engine.'),
    'It says nothing without bigstore, which is not available.',
  ),
  search_on_bigstore: refused(flag(false, 'Search in a database on flash.'), { accepts: [false], why }),
}
