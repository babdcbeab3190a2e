import { once } from 'node:events';
import type { Clock } from '@partyline/domain/clock';
import { openGateways, type Gateway } from '@partyline/provider-janus/gateways';
import type { Timers } from '../audio/frame-clock.ts';
import { ConnectionRefusedError } from '@partyline/provider-janus/request-json';
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
   * Runs `act` at the gateway of a conference: the first of the list that has it, or else the first by
   * rank of those that take new ones. The conference of a gateway that does not answer is not found. A gateway
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
/** So long it waits for a gateway that refused the last connection, or failed `MAX_FAILURES` times in a row. */
const SILENT_WAIT_MS = 100;
/** A gateway that fails less often may be busy, and have the conference. */
const MAX_FAILURES = 3;
/** When a gateway has the conference, the answers of those before it in the list are awaited for this long. */
const EARLIER_WAIT_MS = 150;
const HOME_ATTEMPTS = 3;

export function openOtherGateways(options: OtherGatewaysOptions): OtherGateways {
  const { gatewayId, secret, clock, timers, nonce, stateOf, onSilent, askTimeoutMs = ASK_TIMEOUT_MS } = options;
  const others = options.gateways.filter(({ id }) => id !== gatewayId);
  const control = openGateways({ gateways: others, secret }, { timeoutMs: askTimeoutMs, clock, secret: nonce });
  let requests = 0;
  /** Failures in a row. Those of requests up to `counted`, by number, are counted or out of date. */
  const failures = new Map<string, { readonly count: number; readonly counted: number }>();
  const failuresOf = (id: string) => failures.get(id) ?? { count: 0, counted: 0 };

  async function request(gateway: Gateway, conference: string): Promise<HomeState | undefined> {
    const { id } = gateway;
    const number = (requests += 1);
    try {
      const path = homePath(conference);
      const state = await control.request(gateway, { method: 'GET', path, effect: 'read', reply: homeState });
      failures.set(id, { count: 0, counted: Math.max(number, failuresOf(id).counted) });
      return state;
    } catch (error) {
      const { count, counted } = failuresOf(id);
      const isRefused = error instanceof ConnectionRefusedError;
      // Requests that fail together are one failure.
      if (number > counted) failures.set(id, { count: isRefused ? MAX_FAILURES : count + 1, counted: requests });
      onSilent(id, error);
      return undefined;
    }
  }

  /** @param answer never rejects */
  function waitAtMost<Answer>(ms: number, answer: Promise<Answer>): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const cancel = timers.setTimer(ms, () => resolve(undefined));
      void answer.then((value) => {
        cancel();
        resolve(value);
      });
    });
  }

  function ask(gateway: Gateway, conference: string): Promise<HomeState | undefined> {
    const isSilent = failuresOf(gateway.id).count >= MAX_FAILURES;
    const answer = request(gateway, conference);
    return isSilent ? waitAtMost(SILENT_WAIT_MS, answer) : answer;
  }

  async function findHome(conference: string): Promise<Gateway | undefined> {
    if (others.length === 0 || stateOf(conference).isHere) return undefined;
    const hosts = new Set<Gateway>();
    const firstHost = Promise.withResolvers<number>();
    const answers = others.map(async (gateway, index) => {
      const state = await ask(gateway, conference);
      if (state?.isHere === true) {
        hosts.add(gateway);
        firstHost.resolve(index);
      }
      return { gateway, isReady: state?.isReady ?? false };
    });
    const found = await Promise.race([firstHost.promise, Promise.all(answers)]);
    // Of several hosts all gateways choose the first of the list.
    if (typeof found === 'number' && found > 0) await waitAtMost(EARLIER_WAIT_MS, Promise.all(answers.slice(0, found)));
    // A call or browser of this gateway may have begun it meanwhile.
    const own = stateOf(conference);
    if (own.isHere) return undefined;
    if (typeof found === 'number') return others.find((gateway) => hosts.has(gateway));
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
