export * from './core/clock.ts'
