/*
 * One file for all of them: most of their time would go into loading an emulator for each.
 */
import './arm.suite.ts'
import './entra.suite.ts'
import './found.suite.ts'
import './local.suite.ts'
import './model.suite.ts'
import './vault.suite.ts'
import './wire.suite.ts'
