import { checkJanus } from '@partyline/janus/admin/check-janus';
import { checkKamailio } from '@partyline/provider-janus/check-kamailio';
import type { GatewayOptions } from './gateway.ts';
import { PLUGINS } from './janus-link.ts';

const TIMEOUT_MS = 5_000;
/** What passes when the server starts. Anything else is an error of the operator. */
const MAY_PASS: readonly string[] = ['unreachable', 'no-answer'];

/**
 * Returns what an operator must change before Janus and kamailio can serve a gateway, each in one
 * sentence with its fix: a wrong secret, an old version, a plugin that is missing. A server that
 * does not answer is none of these: the gateway waits for it.
 */
export async function findOperatorErrors({
  janus,
  kamailio,
}: Pick<GatewayOptions, 'janus'> & { readonly kamailio: Pick<GatewayOptions['kamailio'], 'rpc'> }): Promise<string[]> {
  const checks = await Promise.all([
    checkJanus({ ...janus, plugins: PLUGINS, requestTimeoutMs: TIMEOUT_MS }),
    checkKamailio(kamailio.rpc, TIMEOUT_MS),
  ]);
  return checks.flatMap((check) => (check.isUsable || MAY_PASS.includes(check.problem) ? [] : check.message));
}
