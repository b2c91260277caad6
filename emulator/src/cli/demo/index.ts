export { type DemoOptions, runDemo } from './run.ts'
export { TAMPERS, type Tamper } from './tamper.ts'
