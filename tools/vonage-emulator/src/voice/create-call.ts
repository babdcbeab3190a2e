/** POST /v1/calls (contract §2). */
import { z } from 'zod';
import type { Answer } from '../http/answer.ts';
import { toDigits, type HookTarget, type Leg, type World } from '../world.ts';
import { applyAnswer, buildNewCallFields, requestAnswer } from './answer-url.ts';
import { advancedMachineDetection, readMachineDetection } from './machine-detection.ts';
import { nccoSchema, sipEndpoint } from './ncco-schema.ts';
import { runForLeg } from './legs.ts';
import { startNcco } from './ncco-run.ts';
import { placeCall, readEndpoint } from './place-call.ts';

const method = z.enum(['GET', 'POST']);
const urlList = z.union([z.array(z.string()).min(1), z.string().transform((one) => [one])]);

const createCallBody = z
  .looseObject({
    to: z
      .array(
        z.discriminatedUnion('type', [
          z.looseObject({
            type: z.literal('phone'),
            number: z.coerce.string().min(1),
            dtmfAnswer: z.string().optional(),
          }),
          sipEndpoint,
          z.looseObject({
            type: z.literal('websocket'),
            uri: z.url({ protocol: /^wss?$/ }),
            headers: z.record(z.string(), z.unknown()).optional(),
          }),
          z.looseObject({ type: z.literal('vbc'), extension: z.coerce.string().min(1) }),
          z.looseObject({ type: z.literal('app'), user: z.string().min(1) }),
        ]),
      )
      .min(1),
    from: z.looseObject({ type: z.literal('phone'), number: z.coerce.string() }).optional(),
    random_from_number: z.boolean().optional(),
    ncco: nccoSchema.optional(),
    answer_url: urlList.optional(),
    answer_method: method.default('GET'),
    event_url: urlList.optional(),
    event_method: method.default('POST'),
    machine_detection: z.enum(['continue', 'hangup']).optional(),
    advanced_machine_detection: advancedMachineDetection.optional(),
    length_timer: z.coerce.number().int().min(1).max(7200).default(7200),
    ringing_timer: z.coerce.number().int().min(1).max(120).default(60),
  })
  .refine((call) => call.ncco !== undefined || call.answer_url !== undefined, 'Set ncco or answer_url.')
  .refine((call) => call.from !== undefined || call.random_from_number === true, 'Set from or random_from_number.')
  .refine((call) => call.from === undefined || call.random_from_number !== true, {
    path: ['random_from_number'],
    error: 'Set either from or random_from_number.',
  });

const toHookTarget = (urls: string[] | undefined, how: 'GET' | 'POST'): HookTarget | undefined =>
  urls?.[0] === undefined ? undefined : { url: urls[0], method: how };

async function runAnswerUrl(world: World, leg: Leg, target: HookTarget): Promise<void> {
  applyAnswer(world, leg, await requestAnswer(world, leg, target, buildNewCallFields(world, leg)));
}

/** Creates an outbound leg; 201 before the phone rings. Throws a ZodError for an invalid body. */
export function createCall(world: World, applicationId: string, input: unknown): Answer {
  const call = createCallBody.parse(input ?? {});
  const [to] = call.to;
  const answerTarget = toHookTarget(call.answer_url, call.answer_method);
  const ownNumber = world.config.numbers.find((number) => number.applicationId === applicationId)?.e164 ?? '';
  const leg = placeCall(world, {
    applicationId,
    from: toDigits(call.from?.number ?? ownNumber),
    ...readEndpoint(to ?? { type: 'phone', number: '' }),
    ringMs: call.ringing_timer * 1000,
    lengthMs: call.length_timer * 1000,
    eventHook: toHookTarget(call.event_url, call.event_method),
    machineDetection: readMachineDetection(call),
    onAnswered: (answered) => {
      if (to?.type === 'phone' && to.dtmfAnswer !== undefined)
        answered.party.recordEvent('dtmf-heard', { text: to.dtmfAnswer });
      if (call.ncco !== undefined) startNcco(world, answered, call.ncco);
      else if (answerTarget !== undefined) runForLeg(world, answered, runAnswerUrl(world, answered, answerTarget));
    },
  });
  return {
    status: 201,
    body: { uuid: leg.uuid, status: 'started', direction: 'outbound', conversation_uuid: leg.conversation.uuid },
  };
}
