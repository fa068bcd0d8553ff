import { storeContract } from './contract-suite.ts'
import { MemoryStore } from './memory.ts'

storeContract('memory', async () => new MemoryStore())
