/** JSON that goes into a report exactly as it was written, so that no number or key is changed on the way. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}
