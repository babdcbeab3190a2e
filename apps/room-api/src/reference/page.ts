import type { ApiOperation, JsonSchema, OpenApi } from '@partyline/contracts/openapi';
export const referencePage = (document: OpenApi): string => document.info.title;
