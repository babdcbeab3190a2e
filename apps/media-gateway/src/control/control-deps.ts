import type { connectionView, CreateCallRequest } from '@partyline/provider-janus/wire';
import type { output } from 'zod';
import type { CallRegistry } from '../calls/call-registry.ts';
import type { Call } from '../calls/call.ts';
import type { HomeState } from '../gateways/messages.ts';
import type { SignedRequest } from './verify-control.ts';

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
  readonly calls: CallRegistry;
  readonly browsers: BrowserControl;
  /** @throws VerdictError `gateway-not-ready` (503) */
  placeCall(request: CreateCallRequest): Call;
  /** Whether this gateway has a conference, and takes new ones. */
  stateOf(conference: string): HomeState;
  isWebhookUrl(url: string): boolean;
  /** Verifies the signature of a request. @throws VerdictError `control-rejected` (401) */
  verify(request: SignedRequest): void;
  onError(error: unknown, callId: string): void;
}

export const CONTROL_DEPS = Symbol('ControlDeps');
