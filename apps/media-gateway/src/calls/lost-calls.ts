import { ProviderError } from '@partyline/provider-contract/provider-error';
import { endDialog, listDialogs, provesAbsence, type Dialog, type DialogList } from '@partyline/provider-janus/dialogs';
import type { KamailioRpc } from '@partyline/provider-janus/kamailio-rpc';

export interface LostCallsDeps {
  readonly rpc: KamailioRpc;
  readonly timeoutMs: number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly onError: (error: unknown) => void;
}

/** Kamailio is asked again after this time, until it has none of the calls. */
const RETRY_MS = 500;

/**
 * Ends calls whose line at Janus is lost, at kamailio: Janus sends no BYE when it is killed. A call
 * is over when kamailio does not list it, and cannot have forgotten it.
 */
export class LostCalls {
  readonly #deps: LostCallsDeps;
  readonly #waiting = new Map<string, { settle: () => void; seenAtMs: number }>();
  #isRunning = false;

  constructor(deps: LostCallsDeps) {
    this.#deps = deps;
  }

  /**
   * Ends one call; resolves when kamailio does not have it.
   * @param seenAtMs when kamailio had it for the last time, as far as known
   */
  end(callId: string, seenAtMs = -Infinity): Promise<void> {
    return new Promise((settle) => {
      this.#waiting.set(callId, { settle, seenAtMs });
      if (!this.#isRunning) void this.#run();
    });
  }

  /**
   * Ends every call of a gateway, such as those of an earlier process with the same id.
   * @returns how many there were
   */
  async endAll(gatewayId: string): Promise<number> {
    const { dialogs } = await this.#list();
    const left = dialogs.filter(({ callId }) => callId?.startsWith(`${gatewayId}.`));
    await Promise.all(left.map((dialog) => this.#end(dialog)));
    return left.length;
  }

  /** One list serves all lost calls: a killed Janus loses hundreds at once. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      while (this.#waiting.size > 0) {
        // The calls that are added during the request are in the next list.
        const asked = [...this.#waiting.keys()];
        try {
          const list = await this.#list();
          const listed = new Map(list.dialogs.map((dialog) => [dialog.callId, dialog]));
          const live = asked.flatMap((callId) => listed.get(callId) ?? []);
          for (const callId of asked) this.#note(callId, listed.has(callId), list);
          await Promise.all(live.map((dialog) => this.#end(dialog)));
          // An ended dialog is listed for some moments.
          if (this.#waiting.size > 0) await this.#deps.sleep(RETRY_MS);
        } catch (error) {
          this.#deps.onError(error);
          await this.#deps.sleep(RETRY_MS);
        }
      }
    } finally {
      this.#isRunning = false;
    }
  }

  /** Notes that a call is in the list, or settles it because it is not. */
  #note(callId: string, isListed: boolean, list: DialogList): void {
    const call = this.#waiting.get(callId);
    if (call === undefined) return;
    const now = this.#deps.nowMs();
    if (isListed) call.seenAtMs = now;
    else if (provesAbsence(list, (now - call.seenAtMs) / 1_000)) {
      this.#waiting.delete(callId);
      call.settle();
    }
  }

  #list(): Promise<DialogList> {
    return listDialogs(this.#deps.rpc, this.#deps.timeoutMs);
  }

  #end(dialog: Dialog): Promise<void> {
    return endDialog(this.#deps.rpc, this.#deps.timeoutMs, dialog).catch((error: unknown) => {
      // It has ended since the list.
      if (error instanceof ProviderError && error.failure === 'not-found') return;
      this.#deps.onError(error);
    });
  }
}
