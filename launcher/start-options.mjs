// What keeps a control plane of many databases small: `npm run bench -- statistics` measures it. The tests start theirs
// with the same.

// A small nursery; and a heap that may grow by a third before all of it is looked through: left alone, V8 looks every few
// seconds, which costs a tenth of what the control plane does at rest. The thread that serves does all of that: helpers
// take as much of the processors, and while they hold them whoever calls the API waits. Beside a thousand databases the
// slowest hundredth then waited half as long again. And what is made is young: in the first seconds, when all shards are
// read for the first time, V8 would come to think that readings live long, and have each of them wait for a look through
// the whole heap ever after.
export const START_FLAGS = [
  '--max-semi-space-size=4',
  '--heap-growing-percent=30',
  '--single-threaded-gc',
  '--no-allocation-site-pretenuring',
]
// The C library takes memory for each thread from a place of its own, and gives little of it back.
export const START_ENVIRONMENT = { MALLOC_ARENA_MAX: '1' }
