import { once } from 'node:events';
import type { Clock } from '@partyline/domain/clock';
import { openGateways, type Gateway } from '@partyline/provider-janus/gateways';
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
   * Finds the gateway of a conference: the one that has it, or else the first by rank of those that
   * take new ones. The conference of a gateway that does not answer is not found.
   * @returns undefined: it is, or begins, at this gateway
   */
  findHome(conference: string): Promise<Gateway | undefined>;
  /** Returns the gateway whose id begins an id; undefined for this gateway and unknown ones. */
  ownerOf(id: string): Gateway | undefined;
  /** Opens a WebSocket that proves that a gateway opened it. Rejects when it cannot be opened in time. */
  openSocket(gateway: Gateway, path: string): Promise<WebSocket>;
}

/** The others are near. A join of a phone or browser waits for their answers. */
const ASK_TIMEOUT_MS = 1_500;

export function openOtherGateways(options: OtherGatewaysOptions): OtherGateways {
  const { gatewayId, secret, clock, nonce, stateOf, onSilent } = options;
  const others = options.gateways.filter(({ id }) => id !== gatewayId);
  const control = openGateways({ gateways: others, secret }, { timeoutMs: ASK_TIMEOUT_MS, clock, secret: nonce });

  const ask = async (gateway: Gateway, conference: string): Promise<HomeState | undefined> => {
    try {
      return await control.request(gateway, {
        method: 'GET',
        path: homePath(conference),
        effect: 'read',
        reply: homeState,
      });
    } catch (error) {
      onSilent(gateway.id, error);
      return undefined;
    }
  };

  return {
    async findHome(conference) {
      if (others.length === 0 || stateOf(conference).isHere) return undefined;
      const states = await Promise.all(others.map((gateway) => ask(gateway, conference)));
      // A call or browser of this gateway may have begun it meanwhile.
      const own = stateOf(conference);
      if (own.isHere) return undefined;
      const host = others.find((_, index) => states[index]?.isHere);
      if (host !== undefined) return host;
      const ready = others.filter((_, index) => states[index]?.isReady);
      const [first] = rankGateways(conference, [...ready.map(({ id }) => id), ...(own.isReady ? [gatewayId] : [])]);
      return ready.find(({ id }) => id === first);
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
