import { BAD_REPLY, CREDENTIALS, UNREACHABLE } from '@partyline/provider-contract/http-failure';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { z } from 'zod';
import { callRpc, type KamailioRpc } from './kamailio-rpc.ts';

/** Whether a kamailio can serve us. `message` names the problem and its fix, for an operator. */
export type KamailioCheck =
  | {
      readonly isUsable: true;
      /** E.g. `5.6.3`. */
      readonly version: string;
    }
  | {
      readonly isUsable: false;
      readonly problem: KamailioProblem;
      readonly message: string;
    };

export type KamailioProblem =
  'unreachable' | 'no-answer' | 'wrong-secret' | 'too-old' | 'other-server' | 'other-configuration';

/** kamailio.cfg uses `defenv`, which is new in 5.6. */
const OLDEST_VERSION = '5.6';
/** A table of kamailio.cfg without which calls cannot be listed. */
const TABLE = 'byes';

const versionReply = z.object({ result: z.string() });
const tableReply = z.object({ result: z.unknown() });

/**
 * Checks the secret and the version of a kamailio, and that it runs our kamailio.cfg. Resolves for
 * every answer, also for none.
 */
export async function checkKamailio(rpc: KamailioRpc, timeoutMs: number): Promise<KamailioCheck> {
  try {
    const { result } = await callRpc(rpc, timeoutMs, { method: 'core.version' }, versionReply);
    const version = /^kamailio (\d[.\d]*)/.exec(result)?.[1];
    if (version === undefined) return OTHER_SERVER;
    if (version.localeCompare(OLDEST_VERSION, 'en', { numeric: true }) < 0)
      return reject('too-old', `kamailio ${version} is too old. Install kamailio ${OLDEST_VERSION} or later.`);
    await callRpc(rpc, timeoutMs, { method: 'htable.dump', params: [TABLE] }, tableReply);
    return { isUsable: true, version };
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    return describeFailure(error);
  }
}

const reject = (problem: KamailioProblem, message: string): KamailioCheck => ({ isUsable: false, problem, message });

const OTHER_SERVER = reject(
  'other-server',
  'KAMAILIO_RPC_URL is not the RPC of kamailio. Set it to http://<host>:<KAMAILIO_RPC_PORT>/RPC.',
);

function describeFailure({ verdict: { reason }, message }: ProviderError): KamailioCheck {
  switch (reason) {
    case CREDENTIALS.reason:
      return reject('wrong-secret', message);
    case UNREACHABLE.reason:
      return reject('unreachable', message);
    case 'upstream-404':
    case BAD_REPLY.reason:
      return OTHER_SERVER;
    case 'upstream-500':
      return reject(
        'other-configuration',
        'kamailio runs another configuration. Start it with deploy/kamailio/kamailio.cfg of this version.',
      );
    default:
      return reject('no-answer', `kamailio does not answer (${reason}). Restart kamailio, and check KAMAILIO_RPC_URL.`);
  }
}
