import { storeContract } from './contract-suite.ts'
import { MemoryStore } from './memory.ts'
import { forgetByWriting } from './testing.ts'

storeContract('memory', async () => new MemoryStore(), { writerCount: 200, forget: forgetByWriting })
