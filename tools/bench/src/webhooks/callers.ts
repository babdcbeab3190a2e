import type { Exchange } from '../http-load.ts';
import { answerBody, createCall, createSigner, digitsBody, type Call, type Signing } from './requests.ts';
import { conversationOf, pinOf, unknownPinOf } from './rooms.ts';

/** The two webhooks of a caller who dials in. */
export const PHASES = ['answer', 'digits'] as const;
export type Phase = (typeof PHASES)[number];

export interface Target {
  readonly name: string;
  readonly port: number;
  readonly answerPath: string;
}

/** A call that was prompted for a PIN. */
interface PromptedCall {
  readonly index: number;
  readonly call: Call;
  readonly digitsPath: string;
}

/** The calls that one server got so far. */
interface Progress {
  calls: number;
  prompted: PromptedCall[];
}

type Ncco = readonly { readonly action: string; readonly eventUrl?: readonly string[]; readonly name?: string }[];

/**
 * Makes the webhooks of callers who dial in, key a PIN and are admitted. Gives per phase and server
 * a function that makes the next webhook: `digits` continues the calls of the last `answer`, in any
 * order, and returns undefined when all are done.
 * @param pins the number of rooms
 */
export function createCallers({
  pins,
  signing,
}: {
  readonly pins: number;
  readonly signing: Signing;
}): (phase: Phase, target: Target) => () => Exchange | undefined {
  const sign = createSigner(signing);
  const progressOf = new Map<string, Progress>();

  const exchange = (target: Target, path: string, body: string, onNcco: (ncco: Ncco) => void): Exchange => ({
    path,
    body,
    headers: sign(body),
    check(status, reply) {
      try {
        if (status !== 200) throw new Error(`the status is ${status} instead of 200`);
        onNcco(JSON.parse(reply) as Ncco);
      } catch (error) {
        throw new Error(
          `${target.name} sent a wrong reply: ${(error as Error).message}.\n` +
            `  sent ${path} ${body}\n  got  ${status} ${reply}`,
          { cause: error },
        );
      }
    },
  });

  function answer(progress: Progress, target: Target): Exchange {
    const index = progress.calls++;
    const call = createCall(index);
    return exchange(target, target.answerPath, answerBody(call), (ncco) => {
      progress.prompted.push({ index, call, digitsPath: digitsPathOf(ncco) });
    });
  }

  function digits(progress: Progress, target: Target): Exchange | undefined {
    const prompted = progress.prompted.pop();
    if (prompted === undefined) return undefined;
    const { index, call, digitsPath } = prompted;
    const isWrong = index % 10 === 9;
    // Visits all rooms in turn (the factor is prime), not in index order. Random rooms could exceed
    // a room's limit of 50 callers.
    const room = (index * 48_271) % pins;
    return exchange(target, digitsPath, digitsBody(call, isWrong ? unknownPinOf(index) : pinOf(room)), (ncco) => {
      if (isWrong) {
        digitsPathOf(ncco);
        return;
      }
      const joined = ncco.find(({ action }) => action === 'conversation')?.name;
      if (joined !== conversationOf(room))
        throw new Error(`the caller is in ${joined ?? 'no conversation'} instead of ${conversationOf(room)}`);
    });
  }

  return (phase, target) => {
    const progress = progressOf.get(target.name) ?? { calls: 0, prompted: [] };
    progressOf.set(target.name, progress);
    if (phase === 'answer') progress.prompted = [];
    return phase === 'answer' ? () => answer(progress, target) : () => digits(progress, target);
  };
}

/** The path of the digits webhook, from instructions that must be a message and a prompt. */
function digitsPathOf(ncco: Ncco): string {
  const [talk, input] = ncco;
  const url = input?.eventUrl?.[0];
  if (ncco.length !== 2 || talk?.action !== 'talk' || input?.action !== 'input' || url === undefined)
    throw new Error('the caller is not prompted for a PIN');
  return new URL(url).pathname;
}
