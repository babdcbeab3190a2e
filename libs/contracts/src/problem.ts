import { z } from 'zod';

/** Every error of the API, `application/problem+json` (RFC 9457). */
export const Problem = z
  .object({
    type: z
      .string()
      .meta({ description: 'A URN that names the reason.', examples: ['urn:partyline:problem:invalid-body'] }),
    title: z.string().meta({ description: 'The kind of error, the same for a status.', examples: ['Invalid input'] }),
    status: z.int().meta({ description: 'The HTTP status.', examples: [422] }),
    detail: z
      .string()
      .meta({ description: 'What is wrong with this request.', examples: ['The body is not as it should be.'] }),
    reason: z.string().meta({ description: 'The reason in kebab case, for programs.', examples: ['invalid-body'] }),
    fix: z
      .string()
      .optional()
      .meta({ description: 'What to do about it.', examples: ['Correct the fields listed in errors.'] }),
    errors: z
      .array(
        z.object({
          pointer: z.string().meta({
            description: 'Which field: a JSON pointer into the body, or `/` and the name of a query parameter.',
            examples: ['/maxParticipants'],
          }),
          detail: z.string().meta({ description: 'What is wrong with it.', examples: ['must be at most 49'] }),
        }),
      )
      .optional()
      .meta({ description: 'Every field that is wrong.' }),
    limit: z
      .int()
      .optional()
      .meta({ description: 'Of a limit that was reached: how much may be used.', examples: [10] }),
    used: z
      .int()
      .optional()
      .meta({ description: 'Of a limit that was reached: how much is used.', examples: [10] }),
    requestId: z
      .string()
      .optional()
      .meta({ description: 'Give us this when you ask about it.', examples: ['req_3q2-7wAAQkV1bWJlclBhcn'] }),
  })
  .meta({ id: 'Problem', description: 'What went wrong, and what to do about it (RFC 9457).' });
export type Problem = z.output<typeof Problem>;
