import { UNREACHABLE } from '@partyline/provider-contract/http-failure';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { JanusAccount } from '../account.ts';
import { endDialog, listDialogs, provesAbsence, type Dialog, type DialogList } from '../dialogs.ts';
import type { Gateways } from '../gateways.ts';
import { ConnectionRefusedError } from '../request-json.ts';
import { callList, callView, partId, type CallView } from '../wire.ts';

/** What is needed to reach the calls of an account. */
export interface Reach {
  readonly account: JanusAccount;
  readonly gateways: Gateways;
  /**
   * Of one request to a gateway, and of a list of kamailio. A look-up takes both at most, and a
   * hang-up one more.
   */
  readonly timeoutMs: number;
}

const isNotFound = (error: unknown): boolean => error instanceof ProviderError && error.failure === 'not-found';

/** A dialog as a call, for a call that its gateway does not know. */
const toView = (dialog: Dialog & { readonly callId: string }, account: string): CallView => ({
  callId: dialog.callId,
  account: dialog.account ?? account,
  direction: dialog.direction,
  to: null,
  phase: dialog.isAnswered ? 'answered' : 'ringing',
  at: null,
});

/** Whether a gateway that fails with this error may be stopped, or cut off. */
const isSilent = (error: unknown): boolean =>
  error instanceof ProviderError && (error.failure === 'unknown' || error.verdict.reason === UNREACHABLE.reason);

/**
 * Whether an id has the form of ours. Kamailio may have the call of a gateway that is no longer in
 * the settings.
 */
const isOurs = (callId: string): boolean => partId.safeParse(callId).success;

/** @throws ProviderError `busy` while the absence of a dialog proves nothing */
function assertTrusted(list: DialogList): void {
  if (!provesAbsence(list))
    throw new ProviderError('busy', 'upstream-restarted', 'kamailio has just started and may have lost its dialogs.');
}

/**
 * Looks up one call: at its gateway, and at kamailio unless the gateway has it live. A call is over
 * when both do not have it; the silence of one proves nothing. A gateway that was removed from the
 * settings has no calls.
 * @returns `null` for an id of another provider
 * @throws ProviderError when one of the two cannot be asked
 */
export async function findCall(reach: Reach, callId: string): Promise<CallView | null> {
  const gateway = reach.gateways.findGateway(callId);
  if (gateway === undefined && !isOurs(callId)) return null;
  const { account, timeoutMs } = reach;
  const known =
    gateway &&
    (await reach.gateways
      .request(gateway, { method: 'GET', path: `/v1/calls/${callId}`, effect: 'read', reply: callView })
      .catch((error: unknown) => {
        if (!isNotFound(error) && !(error instanceof ConnectionRefusedError)) throw error;
        return undefined;
      }));
  if (known !== undefined && known.phase !== 'over') return known;
  const list = await listDialogs(account.kamailio, timeoutMs);
  const dialog = list.dialogs.find((each) => each.callId === callId);
  if (dialog !== undefined) return toView({ ...dialog, callId }, account.account);
  // Its end was seen.
  if (known !== undefined) return known;
  assertTrusted(list);
  return {
    callId,
    account: account.account,
    direction: 'inbound',
    to: null,
    phase: 'over',
    at: null,
    cause: 'gateway-lost',
  };
}

/**
 * Lists the live calls of the account: kamailio's dialogs, and what every gateway that answers has
 * beside them, such as calls that it is about to place.
 * @throws ProviderError when kamailio does not answer, and when a gateway does not and kamailio has
 *   just started: then neither has the calls
 */
export async function listCalls(reach: Reach, beforeRequest?: () => Promise<void>): Promise<readonly CallView[]> {
  const calls = new Map<string, CallView>();
  const { account, kamailio } = reach.account;
  let isAnySilent = false;
  await beforeRequest?.();
  const [list, ...lists] = await Promise.all([
    listDialogs(kamailio, reach.timeoutMs),
    ...reach.gateways.all.map((gateway) =>
      reach.gateways
        .request(gateway, {
          method: 'GET',
          path: `/v1/calls?account=${account}`,
          effect: 'read',
          reply: callList,
        })
        .catch((error: unknown) => {
          if (!isSilent(error)) throw error;
          isAnySilent = true;
          return { calls: [] };
        }),
    ),
  ]);
  if (isAnySilent) assertTrusted(list);
  for (const dialog of list.dialogs)
    if (dialog.callId !== undefined && dialog.account === account)
      calls.set(dialog.callId, toView({ ...dialog, callId: dialog.callId }, account));
  for (const { calls: listed } of lists) for (const call of listed) calls.set(call.callId, call);
  return [...calls.values()].filter(({ phase }) => phase !== 'over');
}

/**
 * Ends a call: by its gateway, or at kamailio when the gateway does not know it, does not answer, or
 * was removed from the settings.
 * @throws ProviderError `not-found` when neither has it
 */
export async function hangUpCall(reach: Reach, callId: string): Promise<void> {
  const gateway = reach.gateways.findGateway(callId);
  if (gateway === undefined) {
    if (!isOurs(callId)) throw notFound();
    return hangUpAtKamailio(reach, callId, notFound());
  }
  try {
    await reach.gateways.request(gateway, {
      method: 'POST',
      path: `/v1/calls/${callId}/hang-up`,
      effect: 'write',
    });
  } catch (error) {
    if (isNotFound(error)) return hangUpAtKamailio(reach, callId, notFound());
    if (isSilent(error)) return hangUpAtKamailio(reach, callId, error);
    throw error;
  }
}

/** @param otherwise thrown when kamailio does not have the call */
async function hangUpAtKamailio(
  { account: { kamailio }, timeoutMs }: Reach,
  callId: string,
  otherwise: unknown,
): Promise<void> {
  const list = await listDialogs(kamailio, timeoutMs);
  const dialog = list.dialogs.find((each) => each.callId === callId);
  if (dialog !== undefined) return endDialog(kamailio, timeoutMs, dialog);
  if (isNotFound(otherwise)) assertTrusted(list);
  throw otherwise;
}

const notFound = (): ProviderError =>
  new ProviderError('not-found', 'upstream-404', 'The provider does not know this id.');
