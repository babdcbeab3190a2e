import { setTimeout as sleep } from 'node:timers/promises';
import type { KamailioServer } from '@partyline/dev/kamailio/kamailio';
import { openOwnNetwork, whyNoOwnNetwork, type OwnNetwork } from '@partyline/dev/phones/own-network';
import { canSendSound } from '@partyline/dev/phones/sipp';
import type { SelfHosted } from '@partyline/dev/stack/self-hosted';
import { createRandom, type Random } from '../simulation/runtime/random.ts';
import { dialIn, dialInWithLoss, isUp, type Caller } from './caller.ts';
import type { Meeting } from './meeting.ts';
import { judge, readDialogs, type Row } from './row.ts';
import { poll } from '@partyline/dev/processes/until';

/** A call without audio is found by the gateway, which sends the BYE and gets no answer. */
const MARGIN_S = 5;
const WATCH_LONGER_MS = 30_000;
/** Over UDP, a BYE is repeated every 4 s. */
const NETWORK_BACK_BOUND_S = 5;
/** Sound for the whole run of the rows. */
const TALK_MS = 150_000;
/** 20 % of the packets of a phone in a bad network are lost; the others are up to 80 ms late. */
const LOSS = 0.2;
const MAX_DELAY_MS = 80;
const PACKETS_PER_SECOND = 50;
const GAP_FROM_S = 8;
/** At each gateway. */
const STEADY_CALLERS = 1;

export interface PlayedPhoneFaults {
  readonly rows: readonly Row[];
  /** Callers whose calls ended although their phones were there. */
  readonly falseKills: number;
  /** What this machine cannot play. */
  readonly skipped: readonly string[];
}

/**
 * Phones of one room are killed, and lose their network, which comes back later. The phones beside
 * them stay: some send every packet, one loses packets, and one is silent for a while.
 */
export async function playPhoneFaults(
  meeting: Meeting,
  { selfHosted, mediaTimeoutS, seed }: { selfHosted: SelfHosted; mediaTimeoutS: number; seed: number },
): Promise<PlayedPhoneFaults> {
  const network = whyNoOwnNetwork() ?? (await openNetwork(selfHosted));
  try {
    return await play(meeting, { kamailio: selfHosted.kamailio, mediaTimeoutS, seed, network });
  } finally {
    if (typeof network !== 'string') await network.stop();
  }
}

/** Opens a network for a phone, from which kamailio accepts calls. */
async function openNetwork({ kamailio, account }: SelfHosted): Promise<OwnNetwork> {
  const network = await openOwnNetwork();
  try {
    await kamailio.addTrunk({ address: network.address, port: 0, account });
    return network;
  } catch (error) {
    await network.stop();
    throw error;
  }
}

interface PlayOptions {
  readonly kamailio: KamailioServer;
  readonly mediaTimeoutS: number;
  readonly seed: number;
  /** The network of one phone, or why it has none. */
  readonly network: OwnNetwork | string;
}

async function play(
  meeting: Meeting,
  { kamailio, mediaTimeoutS, seed, network }: PlayOptions,
): Promise<PlayedPhoneFaults> {
  const random = createRandom(seed, 'loss');
  const lossy = canSendSound ? [withLoss(random), withGap((mediaTimeoutS * 2) / 3)] : [];
  const [vanishing, unreachable] = await Promise.all([
    meeting.add(),
    meeting.add((line, number, pin) => dialIn(line, number, pin, typeof network === 'string' ? {} : { network })),
    meeting.fill(STEADY_CALLERS),
    ...lossy.map((rtp) => addCaller(meeting, rtp)),
  ]);
  const present = meeting.live.filter((caller) => caller !== vanishing && caller !== unreachable);
  const goneAt = Date.now();
  // Their logs show a call for ever, or until the network is back.
  meeting.forget(vanishing);
  meeting.forget(unreachable);
  try {
    await vanishing.phone.vanish();
    if (typeof network === 'string') unreachable.phone.freeze();
    else await network.cut();
    const boundS = mediaTimeoutS + MARGIN_S;
    const measure = async (name: string, caller: Caller): Promise<Row> => {
      const isListed = async (): Promise<boolean> =>
        (await readDialogs(kamailio)).some(({ sip }) => sip.callId === caller.sipCallId);
      const endedAt = await poll(async () => !(await isListed()), boundS * 1_000 + WATCH_LONGER_MS);
      return judge(name, boundS, endedAt === null ? null : (endedAt - goneAt) / 1_000);
    };
    const rows = await Promise.all([measure('phone killed', vanishing), measure('phone without network', unreachable)]);
    if (typeof network !== 'string') {
      if (!isUp(unreachable)) throw new Error('The network of a phone was not cut.');
      rows.push(await playNetworkBack(unreachable, network));
    }
    // The bad phones must outlive the media timeout.
    await sleep(Math.max(0, goneAt + boundS * 1_000 - Date.now()));
    return {
      rows,
      falseKills: present.filter((caller) => !isUp(caller)).length,
      skipped: [
        ...(canSendSound ? [] : ['phones that lose packets, and that the tenant calls: SIPp needs root to send sound']),
        ...(typeof network === 'string' ? [`a phone whose network is cut; it was stopped instead: ${network}`] : []),
      ],
    };
  } finally {
    await unreachable.phone.stop();
  }
}

/** Kamailio repeats its BYE, which the phone gets when its network is back. */
async function playNetworkBack(caller: Caller, network: OwnNetwork): Promise<Row> {
  const backAt = Date.now();
  await network.mend();
  const endedAt = await poll(() => !isUp(caller), NETWORK_BACK_BOUND_S * 1_000 + WATCH_LONGER_MS);
  return judge(
    'phone whose network is back',
    NETWORK_BACK_BOUND_S,
    endedAt === null ? null : (endedAt - backAt) / 1_000,
  );
}

const addCaller = (meeting: Meeting, rtp: Parameters<typeof dialInWithLoss>[3]['rtp']): Promise<Caller> =>
  meeting.add((line, number, pin) => dialInWithLoss(line, number, pin, { rtp, talkMs: TALK_MS }));

const withLoss = (random: Random): Parameters<typeof dialInWithLoss>[3]['rtp'] => ({
  isLost: () => random.bool(LOSS),
  delayMs: () => random.between(0, MAX_DELAY_MS),
});

/** Without a packet for so long, after the caller has keyed the PIN. */
const withGap = (seconds: number): Parameters<typeof dialInWithLoss>[3]['rtp'] => ({
  isLost: (index) => index >= GAP_FROM_S * PACKETS_PER_SECOND && index < (GAP_FROM_S + seconds) * PACKETS_PER_SECOND,
});
