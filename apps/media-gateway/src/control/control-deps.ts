import type { Clock } from '@partyline/domain/clock';
import type { connectionView, CreateCallRequest } from '@partyline/provider-janus/wire';
import type { output } from 'zod';
import type { CallRegistry } from '../calls/call-registry.ts';
import type { Call } from '../calls/call.ts';
import type { UsedTokens } from './used-tokens.ts';

/** The browsers of this gateway, as control requests see them. */
export interface BrowserControl {
  list(conference: string): readonly output<typeof connectionView>[];
  /** @returns false when there is no such connection */
  disconnect(conference: string, connectionId: string): Promise<boolean>;
  /** @returns false when there is no such connection */
  mute(conference: string, connectionId: string, muted: boolean): Promise<boolean>;
}

/** What the control requests need. */
export interface ControlDeps {
  readonly gatewayId: string;
  readonly calls: CallRegistry;
  readonly browsers: BrowserControl;
  /** @throws VerdictError `gateway-not-ready` (503) */
  placeCall(request: CreateCallRequest): Call;
  isWebhookUrl(url: string): boolean;
  /** Secrets that control requests may be signed with: one, or two during a rotation. */
  readonly secrets: readonly string[];
  readonly usedTokens: UsedTokens;
  readonly clock: Clock;
  onError(error: unknown, callId: string): void;
}

export const CONTROL_DEPS = Symbol('ControlDeps');
