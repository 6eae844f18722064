"""What comes on standard input."""

import sys
import xml.etree.ElementTree as ET


def get_input_xml():
    return ET.fromstring(sys.stdin.read())
