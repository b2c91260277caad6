import { describe } from 'vitest'
import { overTheWire } from './doors.ts'
import { conformance } from './suite.ts'

describe('over the wire', () => conformance(overTheWire))
