import { createProviderError, BAD_REPLY } from '@partyline/provider-contract/http-failure';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { z } from 'zod';
import { callRpc, requestKamailio, type KamailioRpc } from './kamailio-rpc.ts';

/** A SIP dialog as kamailio knows it. */
export interface Dialog {
  /** What identifies it in SIP, also at the phone. */
  readonly sip: {
    readonly callId: string;
    readonly fromTag: string;
    readonly toTag: string;
    /** The number of the INVITE. */
    readonly cseq: string;
  };
  /** The id of the call at its gateway, from `X-Partyline-Call`; absent before the gateway answered. */
  readonly callId: string | undefined;
  readonly account: string | undefined;
  readonly direction: 'inbound' | 'outbound';
  /** Whether the call was answered. */
  readonly isAnswered: boolean;
  /** Whether kamailio repeats a BYE that the phone has not answered. */
  readonly isEnding: boolean;
}

/** `variables` is a list of objects with one key each. */
const listed = z.object({
  'call-id': z.string(),
  caller: z.object({ tag: z.string(), cseq: z.string().nullable() }),
  /** Null before the first answer of the callee. */
  callee: z.object({ tag: z.string().nullable() }),
  state: z.coerce.number(),
  variables: z.array(z.record(z.string(), z.string())).default([]),
});
const reply = z.object({ result: z.array(listed) });
/** The table `byes` of kamailio.cfg: `<call>,<account>,<direction>` by the Call-ID of SIP. */
const byesReply = z.object({
  result: z.array(z.object({ slot: z.array(z.object({ name: z.string(), value: z.string() })) })),
});
const cancelled = z.object({ error: z.unknown().optional() });
const uptimeReply = z.object({ result: z.object({ uptime: z.coerce.number() }) });

/**
 * A dialog older than this is missing from the list of a kamailio that has just started, unless it
 * restored its dialogs from the database.
 */
const TRUSTED_UPTIME_S = 60;

/** The states of a dialog: 1 unconfirmed, 2 early, 3 confirmed without ACK, 4 confirmed, 5 deleted. */
const ANSWERED_FROM = 3;
const DELETED = 5;

/** What kamailio knows of calls at one time. */
export interface DialogList {
  readonly dialogs: readonly Dialog[];
  /** For how long kamailio has run, in whole seconds: up to one too much. */
  readonly uptimeS: number;
}

/**
 * Lists the dialogs that are not over, all of them: also those that have ended for kamailio, but whose
 * phones have not answered the BYE of a gateway.
 * @param timeoutMs for all of it
 * @throws ProviderError `busy` or `unknown` when kamailio does not answer
 */
export async function listDialogs(rpc: KamailioRpc, timeoutMs: number): Promise<DialogList> {
  const { result } = await callRpc(rpc, timeoutMs / 2, { method: 'dlg.list' }, reply);
  // Second, because a dialog that ends meanwhile comes into this table, and the list of a kamailio that
  // starts meanwhile counts as that of a new one.
  const [byes, { result: kamailio }] = await Promise.all([
    callRpc(rpc, timeoutMs / 2, { method: 'htable.dump', params: ['byes'] }, byesReply),
    callRpc(rpc, timeoutMs / 2, { method: 'core.uptime' }, uptimeReply),
  ]);
  if (!Number.isFinite(kamailio.uptime)) throw createProviderError(BAD_REPLY);
  const dialogs = result
    .filter(({ state }) => state < DELETED)
    .map(({ 'call-id': sipCallId, caller, callee, state, variables }) => {
      const { call, account, direction } = Object.assign({}, ...variables) as Readonly<Record<string, string>>;
      return {
        sip: { callId: sipCallId, fromTag: caller.tag, toTag: callee.tag ?? '', cseq: caller.cseq ?? '' },
        ...toFacts(call, account, direction),
        isAnswered: state >= ANSWERED_FROM,
        isEnding: false,
      };
    });
  const ending = byes.result.flatMap(({ slot }) =>
    slot.map(({ name: callId, value }) => ({
      sip: { callId, fromTag: '', toTag: '', cseq: '' },
      ...toFacts(...value.split(',')),
      isAnswered: true,
      isEnding: true,
    })),
  );
  return { dialogs: [...dialogs, ...ending], uptimeS: kamailio.uptime };
}

const toFacts = (
  callId?: string,
  account?: string,
  direction?: string,
): Pick<Dialog, 'callId' | 'account' | 'direction'> => ({
  callId,
  account,
  direction: direction === 'outbound' ? 'outbound' : 'inbound',
});

/**
 * Ends a dialog: kamailio sends a BYE to the phone (`POST /hang-up` of kamailio.cfg), or a CANCEL to
 * a phone that rings. It does nothing for a dialog that is ending.
 * @throws ProviderError `not-found` when kamailio does not have it any more, or not in this state
 */
export async function endDialog(
  rpc: KamailioRpc,
  timeoutMs: number,
  { sip, isAnswered, isEnding }: Pick<Dialog, 'sip' | 'isAnswered' | 'isEnding'>,
): Promise<void> {
  if (isEnding) return;
  if (!isAnswered) {
    const cancel = { method: 'tm.cancel', params: [sip.callId, sip.cseq], effect: 'write' } as const;
    const { error } = await callRpc(rpc, timeoutMs, cancel, cancelled);
    // It was answered, or has ended.
    if (error !== undefined) throw new ProviderError('not-found', 'upstream-404', 'kamailio has no such ringing call.');
    return;
  }
  await requestForCall(rpc, timeoutMs, '/hang-up', sip);
}

/**
 * Lets kamailio end a call after so many seconds, whatever happens meanwhile.
 * @param sipCallId the Call-ID of its dialog. Nothing happens if kamailio does not have it
 * @throws ProviderError
 */
export async function setDeadline(
  rpc: KamailioRpc,
  timeoutMs: number,
  sipCallId: string,
  seconds: number,
): Promise<void> {
  const match = { method: 'dlg.list_match', params: ['callid', 'eq', sipCallId] };
  const { result } = await callRpc(rpc, timeoutMs, match, reply);
  for (const { state, caller, callee } of result) {
    if (state >= DELETED) continue;
    const sip = { callId: sipCallId, fromTag: caller.tag, toTag: callee.tag ?? '' };
    await requestForCall(rpc, timeoutMs, `/deadline/${seconds}`, sip);
  }
}

/** Requests something for one call that kamailio.cfg does, and no RPC of kamailio. */
const requestForCall = (
  rpc: KamailioRpc,
  timeoutMs: number,
  path: string,
  { callId, fromTag, toTag }: Pick<Dialog['sip'], 'callId' | 'fromTag' | 'toTag'>,
): Promise<void> =>
  requestKamailio(rpc, {
    url: new URL(path, rpc.url).href,
    headers: { 'x-call-id': callId, 'x-from-tag': fromTag, 'x-to-tag': toTag },
    effect: 'write',
    timeoutMs,
  });

/**
 * Whether a dialog is over because kamailio does not list it: not if kamailio has started after it,
 * and perhaps lost it.
 * @param seenS how many seconds ago the dialog was listed, if it ever was
 */
export const provesAbsence = ({ uptimeS }: DialogList, seenS = Infinity): boolean =>
  uptimeS > Math.min(TRUSTED_UPTIME_S, seenS + 1);
