/**
 * Uploads with progress: files and folders that are chosen or dropped, one after the other, each by PUT. A connection
 * that breaks is taken up again where the server says it stands. Without it the form posts as forms do.
 */
export const UPLOAD_SCRIPT = `
(() => {
  const form = document.querySelector('.up');
  const input = form.querySelector('input');
  const note = form.querySelector('.note');
  const jobs = document.querySelector('.jobs');
  const max = Number(form.dataset.max);
  const mkdir = 'mkdir' in form.dataset;
  const root = document.documentElement;
  const queue = [];
  let busy = false;
  let failed = false;
  const TRIES = 6;
  const RESUMABLE = 1 << 20;

  const element = (tag, text, className) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const encode = (path) => path.split('/').map(encodeURIComponent).join('/');
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  const send = (method, url, body, headers, job) => new Promise((resolve) => {
    const xhr = new XMLHttpRequest();
    xhr.open(method, url);
    for (const [name, value] of headers) xhr.setRequestHeader(name, value);
    if (job) xhr.upload.onprogress = (event) => job.progress(event.loaded);
    xhr.onload = () => resolve(xhr);
    xhr.onerror = xhr.onabort = () => resolve(null);
    if (job) job.abort = () => xhr.abort();
    xhr.send(body);
  });
  const reason = (xhr) => {
    try { return JSON.parse(xhr.responseText).reason || xhr.statusText; } catch { return xhr.statusText || 'error ' + xhr.status; }
  };

  const put = async (job) => {
    const { file, url } = job;
    let from = 0;
    for (let attempt = 0; attempt < TRIES && !job.stopped; attempt += 1) {
      if (attempt > 0) {
        job.say('waiting to go on');
        await wait(Math.min(500 * 2 ** attempt, 10000));
        if (job.stopped) return;
        const asked = await send('PUT', url, null, [['Content-Range', 'bytes */' + file.size], ['Accept', 'application/json']]);
        if (asked === null || asked.status >= 500) continue;
        if (asked.status !== 308) return job.fail(reason(asked));
        from = Number(asked.getResponseHeader('Upload-Offset'));
      }
      job.from = from;
      const headers = [['Accept', 'application/json']];
      const resumable = file.size >= RESUMABLE;
      if (resumable) headers.push(['Content-Range', 'bytes ' + from + '-' + (file.size - 1) + '/' + file.size]);
      const answer = await send('PUT', url, from === 0 ? file : file.slice(from), headers, job);
      if (job.stopped) return;
      if (answer === null) continue;
      if (answer.status < 300) return job.done();
      if (answer.status === 308 || (answer.status === 409 && answer.getResponseHeader('Upload-Offset') !== null)) continue;
      return job.fail(reason(answer));
    }
    if (!job.stopped) job.fail('the connection broke');
  };

  const add = (file, path) => {
    const item = element('li', '');
    const state = element('span', 'waiting', 'note');
    const cancel = element('button', 'Cancel');
    const bar = document.createElement('progress');
    bar.max = file.size || 1;
    bar.value = 0;
    item.append(element('span', path), state, cancel, bar);
    jobs.append(item);
    const end = (text, className) => {
      state.textContent = text;
      state.className = className;
      cancel.remove();
      bar.remove();
    };
    const job = {
      file, url: './' + encode(path), from: 0, stopped: false,
      say(text) { state.textContent = text; },
      progress(loaded) {
        bar.value = job.from + loaded;
        state.textContent = Math.floor(bar.value / bar.max * 100) + ' %';
      },
      done() { end('done', 'good'); },
      fail(text) { failed = true; end(text, 'bad'); },
    };
    cancel.type = 'button';
    cancel.addEventListener('click', () => {
      job.stopped = true;
      job.abort?.();
      end('cancelled', 'note');
    });
    if (file.size > max) job.fail('too large');
    else queue.push(job);
  };

  const run = async () => {
    if (busy) return;
    busy = true;
    root.dataset.busy = '';
    for (let job = queue.shift(); job; job = queue.shift()) {
      if (!job.stopped) await put(job);
    }
    busy = false;
    // A page that reloads by itself leaves one alone whose reasons have not been read.
    if (failed) note.textContent = 'Some files were not uploaded.';
    else delete root.dataset.busy;
    if (failed) failed = false;
    else if (jobs.querySelector('.good')) location.reload();
  };

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    for (const file of input.files) add(file, file.name);
    input.value = '';
    run();
  });

  const read = async (entry, path) => {
    if (entry.isFile) {
      const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
      if (file) add(file, path + entry.name);
    } else if (mkdir) {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
        if (some.length === 0) break;
        for (const child of some) await read(child, path + entry.name + '/');
      }
    } else note.textContent = 'Folders are not taken here.';
  };
  let depth = 0;
  const over = (change) => {
    depth = Math.max(0, depth + change);
    root.classList.toggle('over', depth > 0);
  };
  const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
  document.addEventListener('dragenter', (event) => hasFiles(event) && over(1));
  document.addEventListener('dragleave', (event) => hasFiles(event) && over(-1));
  document.addEventListener('dragover', (event) => hasFiles(event) && event.preventDefault());
  document.addEventListener('drop', async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(-Infinity);
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (entries.length === 0) for (const file of event.dataTransfer.files) add(file, file.name);
    for (const entry of entries) await read(entry, '');
    run();
  });
  note.textContent += ' — or drop them anywhere';
  addEventListener('beforeunload', (event) => busy && event.preventDefault());

  if (mkdir) {
    const button = element('button', 'New folder');
    button.type = 'button';
    button.addEventListener('click', async () => {
      const name = prompt('Name of the new folder');
      if (!name) return;
      const answer = await send('MKCOL', './' + encodeURIComponent(name), null, [['Accept', 'application/json']]);
      if (answer?.status === 201) location.reload();
      else note.textContent = answer ? reason(answer) : 'the connection broke';
    });
    document.querySelector('.bar').append(button);
  }

  const table = document.querySelector('table');
  if ('delete' in table.dataset) {
    table.tHead.rows[0].append(document.createElement('td'));
    for (const row of table.tBodies[0].rows) {
      const cell = row.insertCell();
      cell.className = 'x';
      const link = row.querySelector('a');
      if (!link || row.classList.contains('u')) continue;
      const button = element('button', '\\u00d7', 'x');
      const name = row.querySelector('bdi').textContent;
      button.setAttribute('aria-label', 'Delete ' + name);
      button.title = 'Delete';
      button.addEventListener('click', async () => {
        if (!confirm('Delete ' + name + '?')) return;
        const answer = await send('DELETE', link.href, null, [['Accept', 'application/json']]);
        if (answer?.status === 204) location.reload();
        else note.textContent = answer ? reason(answer) : 'the connection broke';
      });
      cell.append(button);
    }
  }
})();
`;
