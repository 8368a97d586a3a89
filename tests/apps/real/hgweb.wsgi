# contrib/hgweb.wsgi of Mercurial
import os

from mercurial import demandimport

demandimport.enable()

from mercurial.hgweb import hgweb

application = hgweb(os.fsencode(os.environ["REAL_DATA"] + "/hgweb.conf"))
