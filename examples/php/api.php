<?php // nettool serve examples/php --fastcgi /=unix:/run/php/php8.2-fpm.sock
//
// Then http://127.0.0.1:8000/api.php/some/path: what follows the script is its PATH_INFO.
header('Content-Type: application/json');
$input = file_get_contents('php://input');
echo json_encode([
    'method' => $_SERVER['REQUEST_METHOD'],
    'path' => $_SERVER['PATH_INFO'] ?? '',
    'query' => (object) $_GET,
    'body' => $input === '' ? null : json_decode($input, true),
]), "\n";
