<?php

/** The fields of the product form. WISECP gives the module and what was saved. */

echo $module->config_options_output($product['module_data'] ?? []);
