import { checkJanus } from '@partyline/janus/admin/check-janus';
import { AUDIO_BRIDGE_PLUGIN } from '@partyline/janus/audio-bridge/audio-bridge-handle';
import { SIP_PLUGIN } from '@partyline/janus/sip/sip-handle';
import { VIDEO_ROOM_PLUGIN } from '@partyline/janus/video-room/video-room-handle';
import { JANUS_VARIABLES } from '../janus/janus-binary.ts';
import type { JanusServer } from '../janus/janus.ts';
import { KAMAILIO_VARIABLES } from '../kamailio/kamailio-binary.ts';
import type { KamailioServer } from '../kamailio/kamailio.ts';

const CHECK_TIMEOUT_MS = 10_000;

/**
 * Returns the Janus of JANUS_VARIABLES, which runs already and is never stopped; undefined if none
 * of them is set.
 * @throws Error that names what is missing or wrong, and the fix
 */
export async function findExistingJanus(): Promise<JanusServer | undefined> {
  const given = readVariables('a Janus server', JANUS_VARIABLES);
  if (given === undefined) return undefined;
  const address = {
    url: given.JANUS_URL,
    adminUrl: given.JANUS_ADMIN_URL,
    apiSecret: given.JANUS_API_SECRET,
    adminSecret: given.JANUS_ADMIN_SECRET,
    adminKey: given.JANUS_ADMIN_KEY,
  };
  const check = await checkJanus({
    ...address,
    admin: { url: address.adminUrl, secret: address.adminSecret },
    plugins: [SIP_PLUGIN, AUDIO_BRIDGE_PLUGIN, VIDEO_ROOM_PLUGIN],
    requestTimeoutMs: CHECK_TIMEOUT_MS,
  });
  if (!check.isUsable) throw new Error(check.message);
  const reject = rejectWith('The Janus server of JANUS_URL cannot be stopped or restarted.');
  return {
    name: 'janus',
    ...address,
    external: true,
    get pid() {
      return reject();
    },
    crash: async () => reject(),
    pause: reject,
    resume: reject,
    restart: async () => reject(),
    stop: () => Promise.resolve(),
  };
}

/**
 * Returns the kamailio of KAMAILIO_VARIABLES, which runs already and is never stopped; undefined if
 * none of them is set. media-gateway checks it at its start.
 * @throws Error that names what is missing
 */
export function findExistingKamailio(): KamailioServer | undefined {
  const given = readVariables('a kamailio server', KAMAILIO_VARIABLES);
  if (given === undefined) return undefined;
  const reject = rejectWith(
    'The kamailio server of KAMAILIO_SIP cannot be stopped or restarted, and its address file cannot be changed.',
  );
  return {
    name: 'kamailio',
    sipUri: given.KAMAILIO_SIP,
    tlsUri: undefined,
    rpcUrl: given.KAMAILIO_RPC_URL,
    rpcSecret: given.KAMAILIO_RPC_SECRET,
    gatewaySecret: given.KAMAILIO_GATEWAY_SECRET,
    external: true,
    get pid() {
      return reject();
    },
    addTrunk: async () => reject(),
    crash: async () => reject(),
    pause: reject,
    resume: reject,
    restart: async () => reject(),
    stop: () => Promise.resolve(),
  };
}

/** Returns the variables; undefined if none is set. @param title the server, with an article */
function readVariables<Name extends string>(
  title: string,
  names: readonly Name[],
): Readonly<Record<Name, string>> | undefined {
  const missing = names.filter((name) => !process.env[name]);
  if (missing.length === names.length) return undefined;
  if (missing.length > 0)
    throw new Error(
      `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not set. Set all of ${names.join(', ')} ` +
        `for a server that runs already, or none of them to start ${title}.`,
    );
  return Object.fromEntries(names.map((name) => [name, process.env[name]])) as Record<Name, string>;
}

const rejectWith = (message: string) => (): never => {
  throw new Error(message);
};
