// npm install express && nettool serve examples/js/express.mjs
//
// An Express application as it is, without app.listen(): it is served on nettool's port.
import express from 'express';

const app = express();
app.use(express.json());
app.get('/', (req, res) => res.send(`hello from Express, ${req.ip}`));
app.post('/', (req, res) => res.json(req.body));

export default app;
