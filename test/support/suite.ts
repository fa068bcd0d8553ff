/**
 * One instance for all tests of a suite, on each store: what the suite leaves to clean up is cleaned up after its last
 * test.
 */
import { after, before, describe } from 'node:test'
import { CleanUpList, HOOK } from './clean-ups.ts'
import { type Instance, type InstanceOptions, STORES, type StoreKind, startInstance } from './instance.ts'

/** `it` gives the instance once the suite runs. */
export function onEachStore(title: string, tests: (it: () => Instance, store: StoreKind) => void): void {
  for (const store of STORES) withInstance(`${title} (${store})`, { store }, (it) => tests(it, store))
}

export function withInstance(title: string, options: InstanceOptions, tests: (it: () => Instance) => void): void {
  describe(title, () => {
    const cleanUps = new CleanUpList()
    let instance: Instance | undefined
    before(async () => {
      instance = await startInstance(cleanUps, options)
    }, HOOK)
    after(() => cleanUps.run(), HOOK)
    tests(() => {
      if (!instance) throw new Error('the suite has not started its instance')
      return instance
    })
  })
}
