export { STATE_FORMAT, STATE_VERSION, type StateClock, type StateDocument } from './document.ts'
export { ClockInUseError, ClockRangeError, StateBusyError, StateError, StateExistsError } from './error.ts'
export { type OpenState, type OpenStateOptions, openState } from './open.ts'
