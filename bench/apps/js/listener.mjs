export default (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.end('hello');
};
