import { once } from 'node:events';
import type { Clock } from '@partyline/domain/clock';
import { openGateways, type Gateway } from '@partyline/provider-janus/gateways';
import type { Timers } from '../audio/frame-clock.ts';
import { signControlRequest } from '@partyline/provider-janus/sign-request';
import { WebSocket } from 'ws';
import { homePath, homeState, type HomeState } from './messages.ts';
import { rankGateways } from './rank-gateways.ts';

export interface OtherGatewaysOptions {
  readonly gatewayId: string;
  /** All gateways of the deployment; this one may be among them. */
  readonly gateways: readonly Gateway[];
  /** Signs the requests to them. */
  readonly secret: string;
  readonly clock: Clock;
  readonly timers: Pick<Timers, 'setTimer'>;
  /** A gateway that has not answered by then has no conference. */
  readonly askTimeoutMs?: number;
  /** Random text, accepted once. */
  readonly nonce: () => string;
  /** What this gateway answers others about a conference. */
  readonly stateOf: (conference: string) => HomeState;
  /** A gateway did not answer, and is passed over. */
  readonly onSilent: (gatewayId: string, error: unknown) => void;
}

/** The other gateways of the deployment, and where conferences are. */
export interface OtherGateways {
  /**
   * Runs `act` at the gateway of a conference: the one that has it, or else the first by rank of
   * those that take new ones. The conference of a gateway that does not answer is not found. A gateway
   * may stop meanwhile: when `act` rejects, the conference is looked for again.
   * @returns undefined: it is, or begins, at this gateway
   */
  runAtHome<Result>(conference: string, act: (home: Gateway) => Promise<Result>): Promise<Result | undefined>;
  /** Returns the gateway whose id begins an id; undefined for this gateway and unknown ones. */
  ownerOf(id: string): Gateway | undefined;
  /** Opens a WebSocket that proves that a gateway opened it. Rejects when it cannot be opened in time. */
  openSocket(gateway: Gateway, path: string): Promise<WebSocket>;
}

/** The others are near. A join of a phone or browser waits for their answers. */
const ASK_TIMEOUT_MS = 1_500;
/** So long it waits for a gateway that has not answered the last time. */
const SILENT_WAIT_MS = 100;
const HOME_ATTEMPTS = 3;

export function openOtherGateways(options: OtherGatewaysOptions): OtherGateways {
  const { gatewayId, secret, clock, timers, nonce, stateOf, onSilent, askTimeoutMs = ASK_TIMEOUT_MS } = options;
  const others = options.gateways.filter(({ id }) => id !== gatewayId);
  const control = openGateways({ gateways: others, secret }, { timeoutMs: askTimeoutMs, clock, secret: nonce });
  /** Gateways that have not answered the last time. */
  const silent = new Set<string>();

  async function request(gateway: Gateway, conference: string): Promise<HomeState | undefined> {
    try {
      const path = homePath(conference);
      const state = await control.request(gateway, { method: 'GET', path, effect: 'read', reply: homeState });
      silent.delete(gateway.id);
      return state;
    } catch (error) {
      silent.add(gateway.id);
      onSilent(gateway.id, error);
      return undefined;
    }
  }

  function ask(gateway: Gateway, conference: string): Promise<HomeState | undefined> {
    const isSilent = silent.has(gateway.id);
    const answer = request(gateway, conference);
    if (!isSilent) return answer;
    return new Promise((resolve) => {
      const cancel = timers.setTimer(SILENT_WAIT_MS, () => resolve(undefined));
      void answer.then((state) => {
        cancel();
        resolve(state);
      });
    });
  }

  async function findHome(conference: string): Promise<Gateway | undefined> {
    if (others.length === 0 || stateOf(conference).isHere) return undefined;
    const host = Promise.withResolvers<Gateway>();
    const answers = Promise.all(
      others.map(async (gateway) => {
        const state = await ask(gateway, conference);
        // The answers of slower ones change nothing.
        if (state?.isHere === true) host.resolve(gateway);
        return { gateway, isReady: state?.isReady ?? false };
      }),
    );
    const found = await Promise.race([host.promise, answers]);
    // A call or browser of this gateway may have begun it meanwhile.
    const own = stateOf(conference);
    if (own.isHere) return undefined;
    if (!Array.isArray(found)) return found;
    const ready = found.filter(({ isReady }) => isReady).map(({ gateway }) => gateway);
    const [first] = rankGateways(conference, [...ready.map(({ id }) => id), ...(own.isReady ? [gatewayId] : [])]);
    return ready.find(({ id }) => id === first);
  }

  return {
    async runAtHome(conference, act) {
      for (let attempt = 1; ; attempt += 1) {
        const home = await findHome(conference);
        if (home === undefined) return undefined;
        try {
          return await act(home);
        } catch (error) {
          if (attempt === HOME_ATTEMPTS) throw error;
        }
      }
    },
    ownerOf: (id) => others.find((gateway) => id.startsWith(`${gateway.id}.`)),
    async openSocket(gateway, path) {
      const authorization = signControlRequest(`${gateway.id} GET ${path}`, secret, '', {
        now: clock.now(),
        nonce: nonce(),
      });
      const socket = new WebSocket(`${gateway.url.replace(/^http/, 'ws')}${path}`, {
        headers: { authorization },
        handshakeTimeout: ASK_TIMEOUT_MS,
        perMessageDeflate: false,
      });
      // A `close` event follows every later error.
      socket.on('error', () => undefined);
      await once(socket, 'open');
      return socket;
    },
  };
}
