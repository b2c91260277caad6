import { hostDataOfCcePolicy } from '@skerry/guest/wire'
import { done, refused } from '../azure/outcome.ts'
import { activity } from './activity.ts'

/** HOST_DATA that a guest with this CCE policy will report: SHA-256 of the decoded policy, lower-case hex. */
export const digestCcePolicy = activity<{ ccePolicy: string }, { hostData: string }>(
  'digestCcePolicy',
  async ({ ccePolicy }) => {
    try {
      const { hostData } = await hostDataOfCcePolicy(ccePolicy)
      return done({ hostData: Buffer.from(hostData).toString('hex') })
    } catch (error) {
      return refused('ERR_TEMPLATE_POLICY', error instanceof Error ? error.message : 'the policy cannot be read')
    }
  },
)
