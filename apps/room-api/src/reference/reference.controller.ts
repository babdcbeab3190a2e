import { Controller, Get, Header, Inject } from '@nestjs/common';
import { openApi } from '@partyline/contracts/openapi';
import { WithoutKey } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { renderReference } from './page.ts';

/** The documents hold nothing private and change only with a release. */
const STATIC_DOCUMENT = 'public, max-age=300';

/** Serves the OpenAPI document and the reference page. */
@WithoutKey()
@Controller()
export class ReferenceController {
  /** Rendered once: the routes need no key, so a reply must cost almost nothing. */
  private readonly document: string;
  private readonly page: string;

  constructor(@Inject(DEPS) deps: ApiDeps) {
    const document = openApi(deps.version);
    this.document = JSON.stringify(document);
    this.page = renderReference(document);
  }

  @Get('v1/openapi.json')
  @Header('cache-control', STATIC_DOCUMENT)
  @Header('content-type', 'application/json; charset=utf-8')
  openApi(): string {
    return this.document;
  }

  @Get('docs')
  @Header('cache-control', STATIC_DOCUMENT)
  @Header('content-type', 'text/html; charset=utf-8')
  // The page loads nothing and runs no script.
  @Header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
  docs(): string {
    return this.page;
  }
}
