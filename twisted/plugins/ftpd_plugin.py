"""Tell `twistd` that `ftpd` is a service it can run; no __init__.py stands beside this file, so that it never shadows Twisted's own package."""

from twisted.application.service import ServiceMaker

ftpd = ServiceMaker("ftpd", "ftpd.tap", "A file transfer server.", "ftpd")
