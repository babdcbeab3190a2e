import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { JanusAccount } from '../account.ts';
import { endDialog, listDialogs, provesAbsence, readUptimeSeconds, type Dialog } from '../dialogs.ts';
import { isGone, type Gateways } from '../gateways.ts';
import { callList, callView, type CallView } from '../wire.ts';

/** What is needed to reach the calls of an account. */
export interface Reach {
  readonly account: JanusAccount;
  readonly gateways: Gateways;
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

const dialogOf = async ({ account, timeoutMs }: Reach, callId: string): Promise<Dialog | undefined> =>
  (await listDialogs(account.kamailio, timeoutMs)).find((dialog) => dialog.callId === callId);

/** @throws ProviderError `busy` while the absence of a dialog proves nothing */
async function assertTrusted({ account, timeoutMs }: Reach): Promise<void> {
  if (!provesAbsence(await readUptimeSeconds(account.kamailio, timeoutMs)))
    throw new ProviderError('busy', 'upstream-restarted', 'kamailio has just started and may have lost its dialogs.');
}

/**
 * Looks up one call: at its gateway, and at kamailio when the gateway does not know it or is gone.
 * A call is over when both do not have it; the silence of one proves nothing.
 * @returns `null` for an id that no gateway of this deployment issued
 * @throws ProviderError when one of the two cannot be asked
 */
export async function findCall(reach: Reach, callId: string): Promise<CallView | null> {
  const gateway = reach.gateways.findGateway(callId);
  if (gateway === undefined) return null;
  try {
    return await reach.gateways.request(gateway, {
      method: 'GET',
      path: `/v1/calls/${callId}`,
      effect: 'read',
      reply: callView,
    });
  } catch (error) {
    if (!isNotFound(error) && !isGone(error)) throw error;
  }
  const dialog = await dialogOf(reach, callId);
  if (dialog !== undefined) return toView({ ...dialog, callId }, reach.account.account);
  await assertTrusted(reach);
  return {
    callId,
    account: reach.account.account,
    direction: 'inbound',
    to: null,
    phase: 'over',
    at: null,
    cause: 'gateway-lost',
  };
}

/**
 * Lists the live calls of the account: those of every gateway that runs, and kamailio's dialogs.
 * @throws ProviderError when a gateway that runs, or kamailio, does not answer, and when a gateway does
 *   not run and kamailio has just started: then neither has the calls
 */
export async function listCalls(reach: Reach, beforeRequest?: () => Promise<void>): Promise<readonly CallView[]> {
  const calls = new Map<string, CallView>();
  const { account } = reach.account;
  let isAnyGone = false;
  await beforeRequest?.();
  const [dialogs, ...lists] = await Promise.all([
    listDialogs(reach.account.kamailio, reach.timeoutMs),
    ...reach.gateways.all.map((gateway) =>
      reach.gateways
        .request(gateway, {
          method: 'GET',
          path: `/v1/calls?account=${account}`,
          effect: 'read',
          reply: callList,
        })
        .catch((error: unknown) => {
          // A process that does not run has no calls but those that kamailio still has.
          if (!isGone(error)) throw error;
          isAnyGone = true;
          return { calls: [] };
        }),
    ),
  ]);
  if (isAnyGone) await assertTrusted(reach);
  for (const dialog of dialogs)
    if (dialog.callId !== undefined && dialog.account === account)
      calls.set(dialog.callId, toView({ ...dialog, callId: dialog.callId }, account));
  for (const { calls: listed } of lists) for (const call of listed) calls.set(call.callId, call);
  return [...calls.values()].filter(({ phase }) => phase !== 'over');
}

/**
 * Ends a call: by its gateway, or at kamailio when the gateway does not know it or is gone.
 * @throws ProviderError `not-found` when neither has it
 */
export async function hangUpCall(reach: Reach, callId: string): Promise<void> {
  const gateway = reach.gateways.findGateway(callId);
  const notFound = (): ProviderError =>
    new ProviderError('not-found', 'upstream-404', 'The provider does not know this id.');
  if (gateway === undefined) throw notFound();
  try {
    await reach.gateways.request(gateway, {
      method: 'POST',
      path: `/v1/calls/${callId}/hang-up`,
      effect: 'write',
    });
    return;
  } catch (error) {
    // A gateway that does not answer may be stopped: kamailio ends the call without it.
    const mayBeDead = error instanceof ProviderError && (error.failure === 'unknown' || isGone(error));
    if (!isNotFound(error) && !mayBeDead) throw error;
    const dialog = await dialogOf(reach, callId);
    if (dialog !== undefined) return endDialog(reach.account.kamailio, reach.timeoutMs, dialog);
    if (mayBeDead) throw error;
    await assertTrusted(reach);
    throw notFound();
  }
}
