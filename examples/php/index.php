<?php // nettool serve examples/php --fastcgi /=unix:/run/php/php8.2-fpm.sock
//
// Then http://127.0.0.1:8000/: php-fpm runs the scripts, everything else in the folder is sent as it is.
$name = $_POST['name'] ?? $_GET['name'] ?? null;
if ($name !== null && (!is_string($name) || trim($name) === '' || strlen($name) > 100)) {
    http_response_code(422);
    $name = null;
}
header('Content-Type: text/html; charset=utf-8');
?>
<!doctype html>
<link rel="stylesheet" href="style.css">
<h1>Hello <?= htmlspecialchars($name ?? 'nobody') ?></h1>
<form method="post"><input name="name" required maxlength="100"><button>That's me</button></form>
<p><?= htmlspecialchars($_SERVER['REQUEST_METHOD'] . ' ' . $_SERVER['REQUEST_URI']) ?> by PHP <?= PHP_VERSION ?></p>
