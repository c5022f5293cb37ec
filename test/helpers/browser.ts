import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';

const CHROMIUM = process.env.NETTOOL_CHROMIUM ?? '/usr/bin/chromium';

/** Why browser tests are left out here; `false` where they can run. */
export const noBrowser: string | false = existsSync(CHROMIUM)
  ? false
  : `there is no browser at ${CHROMIUM} (apt-get install chromium, or set NETTOOL_CHROMIUM)`;

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

let running: Promise<Browser> | undefined;

/** Ends the browser the tests of a file share; for `after`. */
export async function closeBrowser(): Promise<void> {
  await (await running)?.close();
  running = undefined;
}

/** A page under test. */
export interface TestPage {
  readonly page: Page;
  /** What scripts threw and what the page's own policy forbade; to be empty. */
  readonly complaints: readonly string[];
}

/** A page of its own in a fresh profile, at an address; closed with the test. */
export async function openPage(
  t: TestContext,
  url: string,
  options: { readonly dark?: boolean; readonly script?: boolean; readonly width?: number } = {},
): Promise<TestPage> {
  running ??= chromium.launch({ executablePath: CHROMIUM, args: ARGS });
  const browser = await running;
  const context = await browser.newContext({
    colorScheme: options.dark ? 'dark' : 'light',
    javaScriptEnabled: options.script ?? true,
    viewport: { width: options.width ?? 1000, height: 700 },
    timezoneId: 'UTC',
  });
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|Uncaught/i.test(message.text())) complaints.push(message.text());
  });
  await page.goto(url);
  return { page, complaints };
}

/** Keeps a picture of a page where `NETTOOL_SCREENSHOTS` says, to be looked at. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env.NETTOOL_SCREENSHOTS;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
