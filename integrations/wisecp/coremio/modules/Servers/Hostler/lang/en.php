<?php

return [
    'name' => 'Hostler',
    'plan' => 'Package',
    'plan-description' => 'The package on the panel',
    'patience' => 'Seconds to wait',
    'patience-description' => 'for a job before it goes on by itself; below the limits of PHP and of the web server',
    'being-made' => 'Your hosting account is being set up. This takes a little longer than usual and goes on by itself.',
    'unlimited' => 'unlimited',
];
