export function readyPrograms(): Promise<void>
export function programFile(name: 'start' | 'stop' | 'proxy'): string
