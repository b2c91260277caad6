import { describe } from 'vitest'
import { inProcess } from './doors.ts'
import { conformance } from './suite.ts'

describe('in process', () => conformance(inProcess))
