/**
 * Replacing processes, played through: each step does what it says, is cut off anywhere, and the plan goes on from what is
 * seen then.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { StatusDocument } from '#model/documents/status.ts'
import { AROUND, aDatabase, anAction, aShard, aSituation, aStatus, NOW_MS } from '../../test/support/model.ts'
import { applyEdit, cancelUnderWay, settle, undoChange, unedited } from './change.ts'
import { type Plan, planDatabase } from './database.ts'
import { leadOf } from './leads.ts'
import { CHANGE_ATTEMPTS } from './limits.ts'
import { placesFor } from './placement.ts'
import { replacing } from './replacing.ts'
import { shardSpec } from './shard-spec.ts'
import { specDigest } from './spec-digest.ts'
import type { ObservedShard, ShardSpec, Step } from './step.ts'

const OLD = { name: 'redis' as const, version: '7.0.15' }
const NEW = { name: 'redis' as const, version: '7.2.5' }

function aLivingDatabase(isReplicated: boolean): DatabaseDocument {
  const shards = placesFor([], [], { shardsCount: 1, isReplicated, firstShardUid: 70, nodeUid: 1 })
  const config = { ...aDatabase().config, replication: isReplicated }
  return settle(aDatabase({ shards, config, engine: OLD }))
}

function beginUpgrade(before: DatabaseDocument): DatabaseDocument {
  const edit = { ...unedited(before), engine: NEW, shards: replacing(before.shards, OLD, 80) }
  return applyEdit(before, edit, { actionUid: 'upgrade', nowIso: '', around: AROUND, leads: [] }).after
}

/** A small world in which steps do what they say. */
class World {
  database: DatabaseDocument
  status: StatusDocument
  readonly shards = new Map<number, ObservedShard>()

  constructor(living: DatabaseDocument) {
    this.status = aStatus({ generation: living.generation })
    for (const { uid } of living.shards) this.shards.set(uid, { ...aShard(living), uid })
    this.database = living
    for (const place of living.shards) this.#bring(shardSpec(living, place, AROUND, leadOf([], living.shards, place)))
    this.#link()
    this.database = beginUpgrade(living)
  }

  get observed(): ObservedShard[] {
    return [...this.shards.values()]
  }

  plan(): Plan {
    const { database, status, observed } = this
    return planDatabase(aSituation({ database, status, action: anAction({ uid: 'upgrade' }), observed, nowMs: NOW_MS }))
  }

  /** Carries out at most so many of the steps; `isHeard`: news of links has arrived. */
  obey(plan: Plan, most: number, isHeard: boolean): void {
    if (plan.kind === 'pass-lead') {
      const { lead } = plan.succession
      this.status = { ...this.status, leads: [lead] }
    } else if (plan.kind === 'settle') {
      this.database = settle(this.database)
      this.status = { ...this.status, generation: this.database.generation }
    } else if (plan.kind === 'act') {
      for (const step of plan.steps.slice(0, most)) this.#apply(step)
    }
    this.#link(isHeard)
  }

  #apply(step: Step): void {
    if (step.kind === 'remove-shard') this.shards.delete(step.shardUid)
    else if (step.kind === 'yield-shard') this.#change(step.shardUid, { role: 'replica', specDigest: null })
    else if ('spec' in step) this.#bring(step.spec)
    else assert.fail(`nobody expects ${step.kind}`)
  }

  #bring(spec: ShardSpec): void {
    const { uid } = spec
    const isPrimary = spec.role.kind === 'primary'
    const known = this.shards.get(uid) ?? { ...aShard(aDatabase()), uid, completeTerm: null }
    const completeTerm = isPrimary ? spec.role.term : known.completeTerm
    const role = isPrimary ? ('primary' as const) : ('replica' as const)
    this.shards.set(uid, { ...known, state: 'running', role, spec, specDigest: specDigest(spec), completeTerm })
  }

  /** Replicas copy and follow whoever is primary. */
  #link(isHeard = true): void {
    const lead = leadOf(this.status.leads, this.database.shards, { ...this.#anyPlace() })
    const primary = this.shards.get(lead.shardUid)
    const leads = primary?.role === 'primary'
    let followers = 0
    for (const shard of this.observed) {
      if (shard.uid === lead.shardUid || shard.role !== 'replica') continue
      if (leads) followers++
      this.#change(shard.uid, { isLinked: leads && isHeard, ...(leads && { completeTerm: lead.term }) })
    }
    if (primary) this.#change(lead.shardUid, { onlineReplicas: leads ? followers : 0 })
  }

  #anyPlace() {
    const [place] = this.database.shards
    assert.ok(place)
    return place
  }

  #change(uid: number, changes: Partial<ObservedShard>): void {
    const shard = this.shards.get(uid)
    if (shard) this.shards.set(uid, { ...shard, ...changes })
  }

  /** Somebody who has every write leads, at every moment. */
  check(): void {
    const complete = this.observed.filter(({ completeTerm }) => completeTerm !== null)
    assert.ok(complete.length > 0, 'nobody has the data any more')
    const { leads } = this.status
    const leading = leadOf(leads, this.database.shards, this.#anyPlace())
    assert.ok(this.shards.has(leading.shardUid), 'who leads is gone')
    const primaries = this.observed.filter(({ role, state }) => role === 'primary' && state === 'running')
    assert.ok(primaries.length <= 1, 'two take writes')
  }
}

for (const isReplicated of [false, true]) {
  test(`ends with newcomers only, wherever it is cut off (${isReplicated ? 'with' : 'without'} a replica)`, () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat({ max: 3 })), fc.infiniteStream(fc.boolean()), (portions, news) => {
        const world = new World(aLivingDatabase(isReplicated))
        for (let round = 0; round < 60; round++) {
          const plan = world.plan()
          if (plan.kind === 'nothing') break
          world.obey(plan, portions.next().value, news.next().value || round > 30)
          world.check()
        }
        assert.equal(world.plan().kind, 'nothing')
        const uids = world.observed.map(({ uid }) => uid).sort()
        assert.deepEqual(uids, isReplicated ? [80, 81] : [80])
        assert.deepEqual(
          world.database.shards.map(({ uid, leaving }) => [uid, leaving]),
          uids.map((uid) => [uid, undefined]),
        )
        for (const { spec } of world.observed) assert.deepEqual(spec?.engine, NEW)
      }),
    )
  })
}

test('can be called off until a newcomer leads, and not any more then', () => {
  const upgrading = beginUpgrade(aLivingDatabase(true))
  const undone = cancelUnderWay(upgrading, false, [], '')
  assert.deepEqual(undone?.engine, OLD)
  assert.deepEqual(
    undone?.shards.map(({ uid, leaving }) => [uid, leaving]),
    [
      [70, undefined],
      [71, undefined],
    ],
  )
  const [place] = upgrading.shards
  const lead = { group: place?.group ?? 0, shardUid: 80, term: 2 }
  assert.equal(cancelUnderWay(upgrading, false, [lead], ''), null)
})

test('newcomers that cannot start are given up, and those who serve stay as they are', () => {
  const living = aLivingDatabase(false)
  const database = beginUpgrade(living)
  const observed = [aShard(living), { ...aShard(living), uid: 80, state: 'exited' as const, lastWords: 'no' }]
  const attempts = { failures: CHANGE_ATTEMPTS, lastError: 'no', lastFailedAtMs: NOW_MS }
  const action = anAction({ uid: 'upgrade' })
  const plan = planDatabase(aSituation({ database, status: aStatus(), action, observed, attempts }))
  assert.deepEqual(plan, { kind: 'undo-change', reason: 'no' })
  const back = undoChange(database, '')
  const after = planDatabase(aSituation({ database: back, status: aStatus(), action, observed }))
  assert.ok(after.kind === 'act')
  assert.deepEqual(after.steps, [{ kind: 'remove-shard', shardUid: 80 }])
})
