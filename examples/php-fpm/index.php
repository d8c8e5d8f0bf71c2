<?php
// Says which generation answers: at once, or for /slow?ms=800 after that many milliseconds.
if (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) === '/slow') {
    usleep(1000 * (int) ($_GET['ms'] ?? 800));
}
header('Content-Type: text/plain');
echo 'pid ', getmypid(), ' generation ', getenv('HUPWATCH_GENERATION'), "\n";
