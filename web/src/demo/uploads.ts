import { upload, type Client, type Upload, type UploadProgress, type Uploaded } from "@openline/client";
import { byId } from "../dom.js";
import { formatSize } from "../format.js";
import { TransferRate } from "./transfer-rate.js";
import { progressText, speedText, stateText, type UploadState } from "./upload-text.js";

/** A file up to this size is read once more to compare its sum with the server's. */
const COMPARE_BYTES_MAX = 64 * 1024 * 1024;
/** Shares of the file that are drawn. */
const CELLS = 96;

/** The upload: one file at a time, in chunks beside everything else, with a pause and over cuts. */
export class Uploads {
  readonly #page: Document;
  readonly #client: Client;
  #upload: Upload | undefined;
  #rate = new TransferRate();
  #file: File | undefined;
  #state: UploadState = "none";
  #isOpen = false;

  constructor(page: Document, client: Client) {
    this.#page = page;
    this.#client = client;
    byId(page, "upload-cells", HTMLElement).append(...Array.from({ length: CELLS }, () => page.createElement("span")));
    this.#listen();
  }

  /** The line was opened or lost. An upload goes on by itself. */
  handleLine(isOpen: boolean): void {
    this.#isOpen = isOpen;
    this.#rate.handlePause();
    this.#draw();
  }

  #listen(): void {
    const input = byId(this.#page, "file", HTMLInputElement);
    input.addEventListener("change", () => {
      const [file] = input.files ?? [];
      if (file !== undefined) {
        this.#begin(file);
      }
      input.value = "";
    });
    const drop = byId(this.#page, "drop", HTMLElement);
    const mark = (isOver: boolean) => (event: DragEvent) => {
      event.preventDefault();
      drop.dataset["over"] = String(isOver);
    };
    drop.addEventListener("dragover", mark(true));
    drop.addEventListener("dragleave", mark(false));
    drop.addEventListener("drop", (event) => {
      mark(false)(event);
      const [file] = event.dataTransfer?.files ?? [];
      if (file !== undefined) {
        this.#begin(file);
      }
    });
    const button = (id: string, act: () => void): void =>
      byId(this.#page, id, HTMLButtonElement).addEventListener("click", act);
    button("upload-pause", () => this.#togglePause());
    button("upload-cancel", () => this.#upload?.cancel());
    button("upload-again", () => this.#reset());
  }

  #begin(file: File): void {
    this.#reset();
    this.#file = file;
    this.#state = "sending";
    const begun = upload(this.#client, file, {
      onprogress: ({ acked }) => {
        this.#rate.handleProgress(acked, performance.now());
        this.#draw();
      },
    });
    this.#upload = begun;
    begun.done.then(
      (result) => this.#end(begun, () => void this.#show(file, result)),
      (error: unknown) => this.#end(begun, () => this.#fail(error)),
    );
    this.#draw();
    byId(this.#page, "upload-pause", HTMLButtonElement).focus();
  }

  /** What an upload says that was put aside for another does not matter any more. */
  #end(ended: Upload, act: () => void): void {
    if (this.#upload === ended) {
      act();
      this.#draw();
      byId(this.#page, "upload-again", HTMLButtonElement).focus();
    }
  }

  async #show(file: File, { sha256, url }: Uploaded): Promise<void> {
    this.#state = "done";
    const hash = byId(this.#page, "upload-hash", HTMLElement);
    const link = byId(this.#page, "upload-link", HTMLAnchorElement);
    hash.textContent = sha256;
    link.href = new URL(url, this.#page.location.href).href;
    link.textContent = file.name;
    byId(this.#page, "upload-result", HTMLElement).hidden = false;
    const own = await sumOf(file);
    if (own !== undefined && this.#file === file) {
      hash.dataset["same"] = String(own === sha256);
      hash.textContent = own === sha256 ? `${sha256}, the same as here` : `${sha256}, but here it is ${own}`;
    }
  }

  #fail(error: unknown): void {
    const isCancelled = (error as { code?: unknown } | null)?.code === "aborted";
    this.#state = isCancelled ? "cancelled" : "failed";
    const box = byId(this.#page, "upload-error", HTMLElement);
    box.hidden = isCancelled;
    box.textContent = error instanceof Error ? error.message : String(error);
  }

  #togglePause(): void {
    const isPaused = this.#state === "paused";
    this.#state = isPaused ? "sending" : "paused";
    this.#rate.handlePause();
    if (isPaused) {
      this.#upload?.resume();
    } else {
      this.#upload?.pause();
    }
    this.#draw();
  }

  #reset(): void {
    this.#upload = undefined;
    this.#file = undefined;
    this.#state = "none";
    this.#rate = new TransferRate();
    byId(this.#page, "upload-result", HTMLElement).hidden = true;
    byId(this.#page, "upload-error", HTMLElement).hidden = true;
    delete byId(this.#page, "upload-hash", HTMLElement).dataset["same"];
    this.#draw();
  }

  #draw(): void {
    const file = this.#file;
    byId(this.#page, "drop", HTMLElement).hidden = file !== undefined;
    const box = byId(this.#page, "upload", HTMLElement);
    box.hidden = file === undefined;
    const state = this.#state === "sending" && !this.#isOpen ? "waiting" : this.#state;
    box.dataset["state"] = state;
    this.#text("upload-state", stateText(state));
    if (file === undefined) {
      return;
    }
    const { acked, sent }: UploadProgress = this.#upload?.progress ?? { acked: 0, sent: 0, size: file.size };
    const done = state === "done" ? file.size : acked;
    this.#drawCells(done, Math.max(done, sent), file.size);
    byId(this.#page, "upload-progress", HTMLProgressElement).value = file.size === 0 ? 1 : done / file.size;
    this.#text("upload-name", `${file.name}, ${formatSize(file.size)}`);
    this.#text("upload-sent", progressText(done, file.size));
    this.#text("upload-speed", state === "sending" ? speedText(this.#rate, file.size) : "");
    const isUnderWay = state === "sending" || state === "waiting" || state === "paused";
    const pause = byId(this.#page, "upload-pause", HTMLElement);
    pause.hidden = !isUnderWay;
    this.#text("upload-pause", state === "paused" ? "Resume" : "Pause");
    byId(this.#page, "upload-cancel", HTMLElement).hidden = !isUnderWay;
    byId(this.#page, "upload-again", HTMLElement).hidden = isUnderWay;
  }

  #drawCells(stored: number, sent: number, size: number): void {
    const cellsOf = (bytes: number): number => (size === 0 ? CELLS : Math.floor((bytes / size) * CELLS));
    const [storedCells, sentCells] = [cellsOf(stored), cellsOf(sent)];
    for (const [index, cell] of [...byId(this.#page, "upload-cells", HTMLElement).children].entries()) {
      const state = index < storedCells ? "stored" : index < sentCells ? "sent" : "open";
      if (cell instanceof HTMLElement && cell.dataset["cell"] !== state) {
        cell.dataset["cell"] = state;
      }
    }
  }

  #text(id: string, text: string): void {
    const element = byId(this.#page, id, HTMLElement);
    if (element.textContent !== text) {
      element.textContent = text;
    }
  }
}

/** The SHA-256 in hexadecimal digits, where the page may compute it and the file is not too long. */
async function sumOf(file: File): Promise<string | undefined> {
  // Pages that did not come over TLS or from this machine have no `subtle`.
  const subtle = crypto.subtle as SubtleCrypto | undefined;
  if (subtle === undefined || file.size > COMPARE_BYTES_MAX) {
    return undefined;
  }
  const sum = new Uint8Array(await subtle.digest("SHA-256", await file.arrayBuffer()));
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
