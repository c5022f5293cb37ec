// npm install ws && nettool serve examples/js/chat.mjs
//
// WebSockets: an exported `upgrade` gets the connections of requests for another protocol, as node:http hands them out.
import { WebSocketServer } from 'ws';

const room = new WebSocketServer({ noServer: true, maxPayload: 65_536 });

const page = `<!doctype html><ul id="list"></ul><input autofocus><script>
const socket = new WebSocket(location.href.replace(/^http/, 'ws'));
socket.onmessage = ({ data }) => { list.append(Object.assign(document.createElement('li'), { textContent: data })); };
document.querySelector('input').onchange = ({ target }) => { socket.send(target.value); target.value = ''; };
</script>`;

export default {
  fetch: () => new Response(page, { headers: { 'Content-Type': 'text/html; charset=utf-8' } }),
};

export function upgrade(request, socket, head) {
  room.handleUpgrade(request, socket, head, (client) => {
    client.on('error', () => {});
    client.on('message', (data) => {
      for (const other of room.clients) other.send(String(data));
    });
  });
}

/** The server stops, and nobody is here but those who chat: they may come back. */
export function close() {
  for (const client of room.clients) client.close(1012);
}
