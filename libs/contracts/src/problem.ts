import { z } from 'zod';

/** The body of every error, `application/problem+json` (RFC 9457). */
export const Problem = z
  .object({
    type: z
      .string()
      .meta({ description: 'A URN that names the reason.', examples: ['urn:partyline:problem:invalid-body'] }),
    title: z.string().meta({ description: 'The kind of error, one per status.', examples: ['Invalid input'] }),
    status: z.int().meta({ description: 'The HTTP status.', examples: [422] }),
    detail: z.string().meta({ description: 'What is wrong with this request.', examples: ['The body is invalid.'] }),
    reason: z.string().meta({ description: 'The reason in kebab case, for programs.', examples: ['invalid-body'] }),
    fix: z
      .string()
      .optional()
      .meta({ description: 'How to correct the request.', examples: ['Correct the fields in errors.'] }),
    errors: z
      .array(
        z.object({
          pointer: z.string().meta({
            description: 'A JSON pointer into the body, or `/` and the name of a query parameter.',
            examples: ['/maxParticipants'],
          }),
          detail: z.string().meta({ description: 'What is wrong with the field.', examples: ['must be at most 49'] }),
        }),
      )
      .optional()
      .meta({ description: 'Every invalid field.' }),
    limit: z
      .int()
      .optional()
      .meta({ description: 'The limit that was reached.', examples: [10] }),
    used: z
      .int()
      .optional()
      .meta({ description: 'How much of the limit is used.', examples: [10] }),
    requestId: z
      .string()
      .optional()
      .meta({ description: 'Quote this id when you contact us.', examples: ['req_3q2-7wAAQkV1bWJlclBhcn'] }),
  })
  .meta({ id: 'Problem', description: 'An error (RFC 9457).' });
export type Problem = z.output<typeof Problem>;
